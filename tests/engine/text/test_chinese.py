"""Numbers in Chinese."""

from __future__ import annotations

import pytest

from mlx_music.text.chinese import normalize


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("2024年5月3日", "二零二四年五月三日"),
        ("99年12月", "九九年十二月"),
        ("10月", "十月"),
        ("5元6元7元", "五元六元七元"),
        ("3.5万元", "三点五万元"),
        ("20多块", "二十多块"),
        ("+86 13812345678。", "八六一三八一二三四五六七八,"),
        ("010-12345678", "零一零一二三四五六七八"),
        ("3/4和1/2", "四分之三和二分之一"),
        ("50%和3.5％", "百分之五十和百分之三点五"),
        ("2个22个200个", "二个二十二个两百个"),
        ("10个11个110个", "十个十一个一百一十个"),
        ("1001个10010个", "一千零一个一万零一十个"),
        ("20002000元", "两千万两千元"),
        ("1234567", "一二三四五六七"),
        ("1234", "一二三四"),
        ("123", "一百二十三"),
        ("0.50", "零点五零"),
        ("00.5", "零点五"),
        ("P2P和B2B", "P2P和B2B"),
        ("12和2个", "一二和二个"),
        ("你好，“世界”!", "你好,,世界,,"),
        ("^5$", "五"),
        ("", ""),
    ],
)
def test_normalized(text: str, normal: str) -> None:
    assert normalize(text) == normal


def test_a_number_of_any_length_is_said() -> None:
    assert normalize("1" + "0" * 5000 + "元").endswith("载元")
