"""
Who plays in the demo, and what they buy. Everybody is invented.
"""

from dataclasses import dataclass

DOMAIN = "demo.example"
PASSWORD = "Demo-portal-2026!"  # noqa: S105  printed for everybody to use, demos only
TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # noqa: S105  as above


@dataclass(frozen=True, slots=True)
class Part:
    """
    A customer to be. pace: minor units spent on a usual working day.
    """

    name: str
    slug: str
    contact: str
    pace: int
    kind: str = "COMPANY"
    currency: str = "CNY"
    locale: str = "zh-hans"
    time_zone: str = "Asia/Shanghai"


PARTS = (
    Part("上海晨星网络科技有限公司", "chenxing", "周雨桐", 62_000),
    Part("杭州云杉信息技术有限公司", "yunshan", "陈嘉铭", 14_000),
    Part("深圳市海岚电子商务有限公司", "hailan", "林可欣", 32_000),
    Part(
        "Harbour & Finch Trading Ltd.",
        "harbourfinch",
        "Olivia Finch",
        9_000,
        currency="USD",
        locale="en",
        time_zone="Europe/London",
    ),
    Part("李晓雯", "lixiaowen", "李晓雯", 1_900, kind="PERSON"),
    Part("北京青禾教育咨询有限公司", "qinghe", "王思远", 11_000),
    Part(
        "株式会社みなと商事",
        "minato",
        "高橋 葵",
        16_000,
        currency="JPY",
        locale="en",
        time_zone="Asia/Tokyo",
    ),
    Part("成都蜀味坊餐饮管理有限公司", "shuwei", "何俊杰", 7_500),
    Part("广州南粤物流供应链有限公司", "nanyue", "梁志豪", 26_000),
    Part("武汉江城医疗器械有限公司", "jiangcheng", "徐静怡", 13_000),
    Part("赵明轩", "zhaomingxuan", "赵明轩", 1_400, kind="PERSON"),
    Part("南京梧桐文化传媒有限公司", "wutong", "孙若琳", 8_800),
    Part("西安古城旅游发展有限公司", "gucheng", "马浩然", 10_500),
    Part("苏州锦绣丝绸制品有限公司", "jinxiu", "沈佳怡", 6_900),
    Part("重庆山城智能装备有限公司", "shancheng", "罗子涵", 18_500),
    Part("青岛海星软件有限公司", "haixing", "于欣然", 12_300),
    Part("厦门鹭岛跨境电商有限公司", "ludao", "黄雅婷", 23_500),
    Part("天津渤海精密制造有限公司", "bohai", "郭一鸣", 9_700),
    Part("吴思琪", "wusiqi", "吴思琪", 2_300, kind="PERSON"),
    Part("长沙橘洲数字科技有限公司", "juzhou", "谭文博", 15_200),
)
CITIES = ("宁波", "合肥", "郑州", "济南", "昆明", "福州", "大连", "无锡", "佛山", "南昌")
TRADES = ("智联科技", "优选贸易", "慧达信息", "启明教育", "安康健康", "绿源环保")


def part(place: int) -> Part:
    """
    Return the customer at a place of the list; beyond it, more of the same kind.
    """
    if place < len(PARTS):
        return PARTS[place]
    beyond = place - len(PARTS)
    city, trade = CITIES[beyond % len(CITIES)], TRADES[beyond // len(CITIES) % len(TRADES)]
    series = beyond // (len(CITIES) * len(TRADES))
    name = f"{city}{trade}有限公司" if not series else f"{city}{trade}（{series + 1}）有限公司"
    return Part(name, f"company{place + 1}", "联系人", 5_000 + beyond * 700 % 20_000)


@dataclass(frozen=True, slots=True)
class Product:
    """
    Something bought again and again. share: of a day's pace, in per cent.
    """

    code: str
    zh: str
    en: str
    share: tuple[int, int]
    weight: int

    def called(self, locale: str, count: int) -> str:
        return (self.zh if locale == "zh-hans" else self.en).format(count=count)


PRODUCTS = (
    Product("SMS", "短信发送 {count} 条", "{count} text messages", (20, 90), 6),
    Product("API", "API 调用 {count} 次", "{count} API calls", (15, 70), 6),
    Product("OCR", "票据识别 {count} 张", "{count} documents read", (25, 110), 4),
    Product("STO", "对象存储 {count} GB", "{count} GB of storage", (10, 45), 3),
    Product("CDN", "流量包 {count} GB", "{count} GB of traffic", (30, 120), 3),
    Product("SEAT", "团队席位 {count} 个", "{count} seats", (60, 200), 2),
    Product("ESIGN", "电子签章 {count} 份", "{count} documents signed", (20, 80), 3),
    Product("RPT", "数据报表导出 {count} 份", "{count} reports", (5, 30), 2),
)

CAMPAIGN = {"zh-hans": "营销活动预占", "en": "Campaign budget"}
TERMS = {"zh-hans": "充值赠送 5%，90 天内有效", "en": "5% bonus, to be spent within 90 days"}
GOODWILL = {"zh-hans": "服务中断补偿", "en": "Compensation for an outage"}
WELCOME = {"zh-hans": "新客户见面礼", "en": "Welcome gift"}
TWICE = {"zh-hans": "重复扣费，已退回", "en": "Charged twice, given back"}
CORRECTION = {
    "zh-hans": "线下合同折扣补差，合同编号 HT-2026-018",
    "en": "Discount agreed in contract HT-2026-018",
}
