"""The reference pages: every key that a reader takes is described, and none that it does not."""

from __future__ import annotations

import ast
import sys
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import api_handbook
import pytest
from pages import CODE, DOCS, LINK, ROOT, blocks, commands, keys, levels, links, prose, read, tables, twins

import credit_model
from credit_model.catalogue import catalogue as catalogue_module
from credit_model.catalogue import kind_rules as rules_module
from credit_model.catalogue.catalogue import load_catalogue
from credit_model.catalogue.kinds import RESERVED_ATTRIBUTES
from credit_model.foundation.toml_reader import TomlReader
from credit_model.ledger import mapping as mapping_module
from credit_model.ledger import validation
from credit_model.ledger.ingest_report import WARNINGS
from credit_model.visibility import amendments
from credit_model.visibility import tables as ledger_tables

REFERENCE = DOCS / "reference"
YES = {"yes": True, "no": False, "是": True, "否": False}
Signature = tuple[frozenset[str], frozenset[str]]  # required keys, optional keys
LANGUAGES = [".md", ".zh-CN.md"]


def page(name: str, ending: str = ".md") -> str:
    return read(REFERENCE / f"{name}{ending}")


# ---------------------------------------------------------------------- TOML: the reader's own keys


def keys_read(read_file: Callable[[], object]) -> tuple[set[Signature], set[str]]:
    """The keys a reader asks for, table by table, and the words among which it lets a value be chosen."""
    signatures: set[Signature] = set()
    words: set[str] = set()
    check_keys, check_word = TomlReader.keys, TomlReader.one_of

    def note_keys(self: Any, entry: Any, where: str, required: Iterable[str], optional: Iterable[str]) -> None:
        signatures.add((frozenset(required), frozenset(optional)))
        check_keys(self, entry, where, list(required), list(optional))

    def note_words(self: Any, value: Any, allowed: Iterable[str], where: str) -> str:
        allowed = tuple(allowed)
        own_lists = {code for name in LISTS for code in self.raw.get(name, ())}
        words.update(set(allowed) - own_lists - {""})
        return check_word(self, value, allowed, where)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TomlReader, "keys", note_keys)
        patch.setattr(TomlReader, "one_of", note_words)
        read_file()
    return signatures, words


LISTS = ("categories", "dimensions", "fields", "occupations")


def keys_described(text: str) -> set[Signature]:
    """The keys of every table of keys on a page."""
    found = set()
    for table in tables(text):
        if table[0][:2] in (["key", "required"], ["键", "必填"]):
            required = {key for key, row in zip(keys(table), table[1:], strict=True) if YES[row[1]]}
            found.add((frozenset(required), frozenset(set(keys(table)) - required)))
    return found


def words_described(text: str) -> set[str]:
    return {key for table in tables(text) if table[0][:2] in (["value", "of"], ["值", "用于"]) for key in keys(table)}


def example(name: str) -> str:
    """The example at the head of a page."""
    return next(block.text for block in blocks(page(name)) if block.language == "toml")


CATALOGUE = load_catalogue()


def load_by_rules(module: Any, file: Path) -> object:
    """A catalogue whose rules of kinds are read by the reader of a module."""
    with pytest.MonkeyPatch.context() as patch:
        for name, method in vars(module.RuleReader).items():
            if not name.startswith("__"):
                patch.setattr(rules_module.RuleReader, name, method)
        return load_catalogue(file)


Reader = Callable[[Any, Path], object]
READERS: dict[str, tuple[str, types.ModuleType, Reader]] = {  # the page, and what reads its example
    "catalogue": ("catalogue", catalogue_module, lambda module, file: module.load_catalogue(file)),
    "rules of kinds": ("catalogue", rules_module, load_by_rules),
    "mapping": ("mapping", mapping_module, lambda module, file: module.load_mapping(file, CATALOGUE)),
}


def differences(name: str, module: Any, folder: Path, ending: str = ".md") -> set[Any]:
    """What the reader and the page do not agree on."""
    name, _, read_file = READERS[name]
    file = folder / f"{name}.toml"
    file.write_text(example(name), encoding="utf-8")
    signatures, words = keys_read(lambda: read_file(module, file))
    text = page(name, ending)
    return (signatures ^ keys_described(text)) | (words ^ words_described(text))


@pytest.mark.parametrize("ending", LANGUAGES)
@pytest.mark.parametrize("name", READERS)
def test_every_key_and_word_a_reader_takes_is_described_and_no_other(name: str, ending: str, tmp_path: Path) -> None:
    assert differences(name, READERS[name][1], tmp_path, ending) == set()


def places_of_keys(module: types.ModuleType) -> list[int]:
    """The lines of a module on which its reader says which keys there are."""
    return [node.lineno for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text("utf-8"))) if _checks(node)]


def _checks(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "keys" and len(
        node.args
    ) == 4  # fmt: skip


def with_new_key(module: types.ModuleType, line: int, patch: pytest.MonkeyPatch) -> types.ModuleType:
    """The module with one more optional key on that line."""
    file = Path(str(module.__file__))
    tree = ast.parse(file.read_text("utf-8"))
    (call,) = [node for node in ast.walk(tree) if _checks(node) and node.lineno == line]
    old = call.args[3]
    new = ast.Tuple([ast.Starred(old, ast.Load()), ast.Constant("planted_key")], ast.Load())
    call.args[3] = ast.copy_location(new, old)
    planted = types.ModuleType("planted_reader")
    planted.__file__ = str(file)
    patch.setitem(sys.modules, planted.__name__, planted)  # dataclasses look their module up
    exec(compile(ast.fix_missing_locations(tree), str(file), "exec"), vars(planted))
    return planted


PLACES = [(name, line) for name, (_, module, _) in READERS.items() for line in places_of_keys(module)]


@pytest.mark.parametrize(("name", "line"), PLACES)
def test_a_new_key_in_a_reader_is_missed_on_its_page(
    name: str, line: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = with_new_key(READERS[name][1], line, monkeypatch)
    assert any("planted_key" in found[1] for found in differences(name, planted, tmp_path) if len(found) == 2)


def test_every_place_where_a_reader_names_keys_was_found() -> None:
    assert {name: sum(n == name for n, _ in PLACES) for name in READERS} == {
        "catalogue": 9, "rules of kinds": 7, "mapping": 5,
    }  # fmt: skip


def test_the_reserved_attributes_are_described_with_their_types() -> None:
    for ending in LANGUAGES:
        found = {
            key: row[1]
            for table in tables(page("catalogue", ending))
            if table[0][0] in ("attribute", "属性")
            for key, row in zip(keys(table), table[1:], strict=True)
        }
        assert found == RESERVED_ATTRIBUTES


# ---------------------------------------------------------------------- the ledger


def ledger_columns(ending: str) -> list[dict[str, tuple[str, bool]]]:
    """Columns with type and whether they are required, table by table."""
    return [
        {key: (row[1], YES[row[2]]) for key, row in zip(keys(table), table[1:], strict=True)}
        for table in tables(page("ledger", ending))
        if table[0][:3] in (["column", "type", "required"], ["列", "类型", "必填"])
    ]


def columns_taken() -> list[dict[str, tuple[str, bool]]]:
    """The same of the ledger itself; attributes of records are those of the catalogue's page."""
    catalogue = load_catalogue()
    attributes = catalogue.attribute_types
    return [
        {
            name: (type, name in validation.REQUIRED[table])
            for name, type in validation.column_types(table, catalogue).items()
            if table != "records" or name not in attributes
        }
        for table in validation.TABLE_NAMES
    ]


@pytest.mark.parametrize("ending", LANGUAGES)
def test_every_column_of_the_ledger_is_described_with_its_type(ending: str) -> None:
    *described, identity = ledger_columns(ending)
    assert described == columns_taken()
    assert tuple(identity) == validation.ID_COLUMNS


@pytest.mark.parametrize("table", ["RECORD_TYPES", "AMENDMENT_TYPES", "SUBJECT_TYPES"])
def test_a_new_column_of_the_ledger_is_missed_on_the_page(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(getattr(ledger_tables, table), "planted", "text")
    assert ledger_columns(".md")[:-1] != columns_taken()


def first_cells(ending: str, *headings: str) -> list[str]:
    return [key for table in tables(page("ledger", ending)) if table[0][0] in headings for key in keys(table)]


@pytest.mark.parametrize("ending", LANGUAGES)
def test_every_action_standing_and_reason_is_described(ending: str) -> None:
    assert first_cells(ending, "action", "变更") == list(amendments.ACTIONS)
    assert first_cells(ending, "standing", "主体状态") == list(validation.STANDINGS)
    language = LANGUAGES.index(ending) == 0
    for headings, texts_of in ((("reason", "原因"), validation.REASONS), (("warning", "提示"), WARNINGS)):
        described = {
            key: row[1]
            for table in tables(page("ledger", ending))
            if table[0][0] in headings
            for key, row in zip(keys(table), table[1:], strict=True)
        }
        assert described == {code: texts[language] for code, texts in texts_of.items()}


# ---------------------------------------------------------------------- twins


@pytest.mark.parametrize(("english", "chinese"), twins(), ids=lambda path: path.name)
def test_a_page_and_its_chinese_twin_say_the_same(english: Path, chinese: Path) -> None:
    one, other = read(english), read(chinese)
    assert levels(one) == levels(other)
    assert commands(one) == commands(other)
    assert links(one) == links(other)
    assert [keys(table) for table in tables(one)] == [keys(table) for table in tables(other)]
    assert set(CODE.findall(one)) == set(CODE.findall(other))


def test_every_reference_page_and_how_to_has_a_twin() -> None:
    pages = {path for folder in ("reference", "how-to") for path in (DOCS / folder).glob("*.md")}
    english = {path for path in pages if not path.name.endswith(".zh-CN.md")}
    assert english | {path.with_suffix(".zh-CN.md") for path in english} == pages


# ---------------------------------------------------------------------- public names


@pytest.mark.parametrize("language", api_handbook.PAGES)
def test_the_page_of_public_names_is_the_one_made_of_the_package(language: str) -> None:
    assert read(api_handbook.PAGES[language]) == api_handbook.page(language), "run: python tests/api_handbook.py"


def test_every_public_name_has_a_purpose_in_both_languages() -> None:
    assert set(api_handbook.CHINESE) == set(credit_model.__all__)
    assert all(api_handbook.purpose(getattr(credit_model, name)) for name in credit_model.__all__)


# ---------------------------------------------------------------------- links


def test_every_link_between_pages_leads_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {address}"
        for page in [
            *ROOT.glob("*.md"),
            *DOCS.rglob("*.md"),
            *ROOT.glob("experiments/*.md"),
            *ROOT.glob("data/**/*.md"),
        ]
        for address in LINK.findall(prose(read(page)))
        if not address.startswith(("http", "#")) and not (page.parent / address.split("#")[0]).exists()
    ]
    assert not broken
