"""Numbers in Chinese lyrics, written out in characters, and punctuation, made commas.

The rules are those of chn_text_norm (github.com/Joee1995/chn_text_norm), which ACE-Step's
reference applies. Each rule finds its matches first and then replaces, for each, the *first* place
in the line where the same characters stand, which may be another place: "12和2个" becomes
"1二和2个", and in the end "一二和二个". That is a fault, and kept, because the model has learnt
from lines that were treated so.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable

_DIGITS = "零一二三四五六七八九"
#: Powers of ten that have a name of their own.
_UNITS = dict(
    zip(
        (1, 2, 3, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44),
        "十百千万亿兆京垓秭穰沟涧正载",
        strict=True,
    )
)
_TWO, _PAIR = "二", "两"
_POINT = "点"


def normalize(text: str) -> str:
    """`text` with dates, sums, telephone numbers, fractions and counts in characters.

    Whatever punctuation is then left, ASCII or Chinese, becomes a comma.
    """
    text = f"^{text}$"  # so that rules can ask for a character before and after
    for pattern, spell in _RULES:
        for match in list(pattern.finditer(text)):
            text = text.replace(match[1], spell(match), 1)
    return text.lstrip("^").rstrip("$").translate(_PUNCTUATION_TO_COMMA)


# ---- numbers


def _digit_by_digit(digits: str) -> str:
    return "".join(_DIGITS[int(digit)] for digit in digits)


def _cardinal(number: str) -> str:
    """A count such as "105" or "3.50" in characters: 一百零五, 三点五零."""
    whole, point, decimals = number.partition(".")
    symbols = _with_units(whole) if len(whole) > 1 else list(_digit_by_digit(whole))
    for index, symbol in enumerate(symbols):
        before = symbols[index - 1] if index else ""
        after = symbols[index + 1] if index + 1 < len(symbols) else ""
        if symbol == _TWO and _is_large_unit(after) and (not before or _is_large_unit(before)):
            symbols[index] = _PAIR
    words = "".join(symbols)
    if point:
        words = (words or _DIGITS[0]) + _POINT + _digit_by_digit(decimals)
    return words.removeprefix("一") if words.startswith("一十") else words


def _is_large_unit(symbol: str) -> bool:
    return symbol != "" and symbol in "百千万亿兆京垓秭穰沟涧正载"


def _with_units(digits: str) -> list[str]:
    """Digits and units; zeros that end the number, or fill one of its parts, are not said."""
    symbols: list[str] = []
    while len(significant := digits.lstrip("0")) > 1:
        power = max(power for power in _UNITS if power < len(significant))
        symbols = [_UNITS[power], *_with_units(significant[-power:]), *symbols]
        digits = digits[:-power]
    if significant:
        zero = [_DIGITS[0]] if len(digits) > 1 else []
        symbols = [*zero, _DIGITS[int(significant)], *symbols]
    return symbols


# ---- rules, in the order in which they apply


def _date(match: re.Match[str]) -> str:
    year, has_year, rest = match[1].rpartition("年")
    month, has_month, day = rest.partition("月")
    words = _digit_by_digit(year) + has_year
    if has_month:
        words += _cardinal(month) + has_month
    if day:
        words += _cardinal(day[:-1]) + day[-1]
    return words


def _money(match: re.Match[str]) -> str:
    words = match[1]
    for number in re.findall(r"\d+(?:\.\d+)?", words):
        words = words.replace(number, _cardinal(number))
    return words


def _telephone(match: re.Match[str]) -> str:
    return _digit_by_digit(re.sub(r"\D", "", match[1]))


def _fraction(match: re.Match[str]) -> str:
    numerator, _, denominator = match[1].partition("/")
    return f"{_cardinal(denominator)}分之{_cardinal(numerator)}"


def _percentage(match: re.Match[str]) -> str:
    return "百分之" + _cardinal(match[1].rstrip("%"))


_LARGE = "亿|千万|百万|万|千|百"
_MONEY_UNITS = rf"(?:(?:{_LARGE})|(?:{_LARGE}|)元|(?:{_LARGE}|)块|角|毛|分)"

#: Words that follow a count.
_MEASURES = (
    "匹张座回场尾条个首阙阵网炮顶丘棵只支袭辆挑担颗壳窠曲墙群腔砣客贯扎捆刀令打手罗坡山岭江溪"
    "钟队单双对出口头脚板跳枝件贴针线管名位身堂课本页家户层丝毫厘分钱两斤铢石钧锱忽寸尺丈里寻常铺"
    "程撮勺合升斗盘碗碟叠桶笼盆盒杯斛锅簋篮罐瓶壶卮盏箩箱煲啖袋钵年月日季刻时周天秒旬纪岁世更夜"
    "春夏秋冬代伏辈丸泡粒幢堆根道面片块"
)
_MEASURE = rf"(?:[{_MEASURES}]|[千毫微]克|[千分厘毫微]米)"

_DAY = r"\d{1,2}月(?:\d{1,2}[日号])?"

_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (
        re.compile(rf"\D((?:[089]\d|(?:19|20)\d{{2}})年(?:{_DAY})?|{_DAY})"),
        _date,
    ),
    (
        re.compile(rf"\D(\d+(?:\.\d+)?[多余几]?{_MONEY_UNITS}(?:\d{_MONEY_UNITS}?)?)"),
        _money,
    ),
    (
        re.compile(r"\D((?:\+?86 ?)?1(?:[38]\d|5[0-35-9]|7[678]|9[89])\d{8})\D"),
        _telephone,
    ),
    (re.compile(r"\D((?:0(?:10|2[1-3]|[3-9]\d{2})-?)?[1-9]\d{6,7})\D"), _telephone),
    (re.compile(r"(?<!\d)(\d+/\d+)"), _fraction),
    (re.compile(r"(％)"), lambda match: "%"),
    (re.compile(r"(?<!\d)(\d+(?:\.\d+)?%)"), _percentage),
    (
        re.compile(rf"(?<!\d)(\d+(?:\.\d+)?)[多余几]?{_MEASURE}"),
        lambda match: _cardinal(match[1]),
    ),
    (re.compile(r"(\d{4,32})"), lambda match: _digit_by_digit(match[1])),
    (re.compile(r"(\d+(?:\.\d+)?)"), lambda match: _cardinal(match[1])),
    # B2B, P2P: between Latin letters the figure is wanted back.
    (re.compile(r"(?<![a-zA-Z])([a-zA-Z]+二[a-zA-Z]+)"), lambda match: match[1].replace(_TWO, "2")),
)

_CHINESE_PUNCTUATION = (
    "！？｡。＂＃＄％＆＇（）＊＋，－／：；＜＝＞＠［＼］＾＿｀｛｜｝～｟｠｢｣､、〃《》「」『』【】"
    "〔〕〖〗〘〙〚〛〜〝〞〟〰〾〿–—‘’‛“”„‟…‧﹏·〈〉"
)
_PUNCTUATION_TO_COMMA = str.maketrans(dict.fromkeys(_CHINESE_PUNCTUATION + string.punctuation, ","))
