"""The page of public names, made of their docstrings: `python tests/api_handbook.py` writes it in both languages."""

from __future__ import annotations

import inspect
import re
from typing import Any

from pages import DOCS

import credit_model

PAGES = {"en": DOCS / "reference" / "api.md", "zh": DOCS / "reference" / "api.zh-CN.md"}
OPENING = {
    "en": """# Public names

`import credit_model as cm`. Every name is loaded on first use. What stands here is stable: it changes only with a
line in the changelog. Made by `python tests/api_handbook.py`; a test holds the page and the package together.

| name | signature | purpose |
|---|---|---|
""",
    "zh": """# 公开名称

`import credit_model as cm`。每个名称在首次使用时加载。此处所列名称是稳定的，变动必在变更日志中说明。本页由
`python tests/api_handbook.py` 生成，并由测试与软件包核对。

| 名称 | 签名 | 用途 |
|---|---|---|
""",
}
CHINESE = {
    "Assessment": "一个人在一天的评价：状态、分数、等级、原因及法定状态",
    "AuditSettings": "按群体审计的设置：文字、参照群体、来源",
    "BinEdits": "对学习所得分箱的人工修改",
    "BoostedChallenger": "以梯度提升构成的挑战者，只用于衡量，不用于评分",
    "Card": "评分卡：特征变量、分值与概率映射",
    "Evaluator": "用一张评分卡从台账评价一个人",
    "FeatureDefinition": "特征的定义：哪些记录、何种汇总、多长的时间窗",
    "Ledger": "只追加的台账：入库、打开、查询、遗忘",
    "Outcome": "结果的定义：何种事件、多长的表现期",
    "Reference": "评分卡建成时的参照，供监测比较",
    "STATUSES": "记录在某一天的状态：有效，或不使用的事由",
    "ScorecardClassifier": "学习一张评分卡的 scikit-learn 分类器",
    "Snapshot": "某一天评分卡所见的人群",
    "UserError": "使用者可以改正的错误；其他错误类均由它派生",
    "WoeTransformer": "把各列转换为证据权重的 scikit-learn 转换器",
    "Y12": "默认结果：十二个月内新的不良案件",
    "audit_fairness": "按群体审计评分卡",
    "build_features": "为各观察日计算特征",
    "build_sample": "由台账构建开发样本与跨时间样本",
    "compare": "在同一批人上比较两次运行",
    "cutoff_table": "各分数线上的人数、好坏与误判",
    "eligibility_ratio": "各群体符合比例之比",
    "evaluate": "评价一组已评分的行",
    "explain_feature": "说明一个特征值：用到与未用到的记录",
    "feature_grid": "由种类、汇总、时间窗生成成组的特征定义",
    "font_families": "能显示两种语言的字体",
    "from_days": "把天数转换为日期",
    "frontier": "特征变量个数与区分能力的取舍",
    "gini_difference": "两个模型基尼系数的配对差",
    "library": "默认特征字典",
    "load_catalogue": "读取目录",
    "load_evaluator": "从登记处或文件加载评价器",
    "load_experiment": "读取实验文件",
    "monitor": "评分卡建成以来有何变化",
    "run": "运行一个实验",
    "swap_set": "两张评分卡决定不同的人",
    "synthesise": "生成一个合成城市",
    "to_day": "把日期转换为天数",
}


def signature(value: Any) -> str:
    """How a name is called; empty for a value."""
    if not callable(value):
        return ""
    if isinstance(value, type) and issubclass(value, BaseException):
        return "(message)"
    names = []
    for parameter in inspect.signature(value).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in names and not any(n[:1] == "*" for n in names):
            names.append("*")
        star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        names.append(star + parameter.name + ("" if parameter.default is parameter.empty else "=…"))
    return f"({', '.join(names)})"


def purpose(value: Any) -> str:
    """The first paragraph of the docstring; for a value without one, its type."""
    if not callable(value) and not type(value).__module__.startswith("credit_model"):
        return f"A {type(value).__name__} of {len(value)}."
    first = " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())
    return re.sub(r":\w+:`([^`]*)`", r"\1", first).replace("`", "").replace("|", "\\|")


def page(language: str) -> str:
    rows = []
    for name in credit_model.__all__:
        value = getattr(credit_model, name)
        said = purpose(value) if language == "en" else CHINESE.get(name, "")
        rows.append(f"| `{name}` | {f'`{signature(value)}`' if signature(value) else ''} | {said} |")
    return OPENING[language] + "\n".join(rows) + "\n"


if __name__ == "__main__":
    for language, path in PAGES.items():
        path.write_text(page(language), encoding="utf-8")
