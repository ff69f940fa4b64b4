"""Columns of text as codes: how they compare and meet, whether they came as Python objects or as Arrow arrays.

Codes index sorted distinct words, so that codes sort as the words do; null is -1. Words stay what they came as, an
array of Python objects or an Arrow array: a city's record ids never become Python objects on their way.

In: arrays of text. Out: codes and words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import pyarrow as pa

Column = NDArray[Any]
_MANY: Final = 4_096  # texts for which Arrow repays being loaded

Words = Any  # an object array or an Arrow array of strings; sorted, distinct


@dataclass(frozen=True)
class Text:
    """A column of text, encoded.

    Parameters
    ----------
    codes : ndarray of int32
        Indices into ``words``; -1 null.
    words : object array or Arrow string array
        Sorted, distinct.
    """

    codes: NDArray[np.int32]
    words: Words

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Column) -> Text:
        return Text(take(self.codes, rows), self.words)

    @classmethod
    def of_arrow(cls, array: pa.Array | pa.ChunkedArray) -> Text:
        """Encode an Arrow array of strings."""
        import pyarrow as pa
        import pyarrow.compute as pc

        array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
        if array.null_count == len(array):
            return cls(constant(np.int32(-1), len(array)), pa.array([], pa.string()))
        encoded = array.dictionary_encode()
        codes, words = encoded.indices.fill_null(-1).to_numpy(), encoded.dictionary
        if not pc.all(pc.less(words[:-1], words[1:])).as_py():
            order = pc.array_sort_indices(words)
            rank = np.empty(len(words) + 1, np.int32)
            rank[order.to_numpy()] = np.arange(len(words), dtype=np.int32)
            rank[-1] = -1
            codes, words = rank[codes], words.take(order)
        return cls(codes, words)


def encode(values: Column | Text) -> tuple[NDArray[np.int32], Words]:
    """Return text as codes into its sorted distinct values; null is -1.

    Examples
    --------
    >>> codes, values = encode(np.array(["b", None, "a"], object))
    >>> codes.tolist(), values.tolist()
    ([1, -1, 0], ['a', 'b'])
    """
    if isinstance(values, Text):
        return values.codes, values.words
    if len(values) >= _MANY:  # bytes of UTF-8 sort as the characters do
        coded = Text.of_arrow(_arrow(values))
        return coded.codes, coded.words.to_numpy(zero_copy_only=False)
    listed = values.tolist()
    distinct = sorted(set(listed) - {None})
    code: dict[str | None, int] = {value: i for i, value in enumerate(distinct)}
    code[None] = -1
    return np.fromiter(map(code.__getitem__, listed), np.int32, len(listed)), objects(distinct)


def encode_together(one: Column | Text, other: Column | Text) -> tuple[NDArray[np.int32], NDArray[np.int32], Words]:
    """Return two columns as codes into the same words, which are those of both."""
    (codes, words), (others, other_words) = encode(one), encode(other)
    if not len(other_words):
        return codes, others, words
    both = _concatenate(words, other_words)
    place, words_of_both = encode(both if isinstance(both, np.ndarray) else Text.of_arrow(both))
    null = np.array([-1], np.int32)  # finds itself at the end
    first, second = np.split(place, [len(words)])
    return np.append(first, null)[codes], np.append(second, null)[others], words_of_both


def places(words: Words, among: Words) -> NDArray[np.int64]:
    """Return where each word stands among others; -1 for one that is not there."""
    if isinstance(words, np.ndarray) and isinstance(among, np.ndarray) and len(words) + len(among) < _MANY:
        index = {word: place for place, word in enumerate(among.tolist())}
        return np.fromiter((index.get(word, -1) for word in words.tolist()), np.int64, len(words))
    import pyarrow.compute as pc

    place: NDArray[np.int64] = (
        pc.index_in(_arrow(words), value_set=_arrow(among)).fill_null(-1).to_numpy().astype(np.int64)
    )
    return place


def plain(values: Column | Text | Words) -> Column:
    """Return text, or words, as an array of Python objects."""
    if isinstance(values, Text):
        words = plain(values.words)
        with_null: Column = np.concatenate([words, np.array([None], object)])
        return with_null[values.codes]
    if isinstance(values, np.ndarray):
        return values
    return objects(values.to_pylist())


def constant(value: ArrayLike, size: int) -> Column:
    """Return a column of one value, which takes the memory of one."""
    return np.broadcast_to(np.asarray(value), size)


def is_constant(column: Column) -> bool:
    """Return whether a column was made by ``constant``."""
    return column.strides == (0,) and len(column) > 1


def take(column: Any, rows: Column) -> Any:
    """Return ``column[rows]``; a constant column stays one."""
    if isinstance(column, Text) or not is_constant(column):
        return column[rows]
    return constant(column[0], int(rows.sum()) if rows.dtype == np.bool_ else len(rows))


def objects(values: Iterable[object]) -> Column:
    """Return a column of Python objects, one by one (numpy would look inside)."""
    listed = list(values)
    column = np.empty(len(listed), object)
    column[:] = listed
    return column


def _concatenate(words: Words, others: Words) -> Words:
    if isinstance(words, np.ndarray) and isinstance(others, np.ndarray):
        return np.concatenate([words, others])
    import pyarrow as pa

    return pa.concat_arrays([_arrow(words), _arrow(others)])


def _arrow(words: Words) -> pa.Array:
    import pyarrow as pa

    return pa.array(words, pa.string()) if isinstance(words, np.ndarray) else words
