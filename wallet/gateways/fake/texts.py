"""
The cashier's words in both languages, and its style.
"""

TEXTS: dict[str, dict[str, str]] = {
    "zh": {
        "lang": "zh-Hans",
        "title": "沙箱收银台",
        "play_money": "测试环境，不会真的扣款",
        "unknown": "没有这个订单",
        "number": "订单号",
        "merchant_id": "商户号",
        "expires": "有效期至",
        "pay": "立即支付",
        "pay_late_now": "仍然支付（迟到的付款）",
        "back": "返回商户",
        "paid": "此订单已支付",
        "closed": "此订单已被商户关闭",
        "failed": "支付失败",
        "expired": "此订单已过期",
        "expired_now": "此订单刚刚过期",
        "bad_amount": "金额不正确",
        "bad_currency": "币种不正确",
        "bad_choice": "没有这个选项",
        "amount": "其他金额",
        "currency": "其他币种",
        "troubles": "模拟异常",
        "troubles_lead": "选择一种情况，看商户如何应对。",
        "fail": "支付失败",
        "late": "订单关闭或过期后才付款",
        "twice": "重复支付两次",
        "notify_thrice": "通知三次",
        "notify_never": "支付成功但不通知",
        "notify_lost": "前两次通知丢失后重试",
        "query_5xx": "查询报错三次，二十秒后通知",
        "slow": "一切都很慢",
    },
    "en": {
        "lang": "en",
        "title": "Sandbox cashier",
        "play_money": "Test environment, no real money moves",
        "unknown": "There is no such order",
        "number": "Order",
        "merchant_id": "Merchant",
        "expires": "Valid until",
        "pay": "Pay now",
        "pay_late_now": "Pay anyway (a late payment)",
        "back": "Back to the merchant",
        "paid": "This order is paid",
        "closed": "The merchant has closed this order",
        "failed": "The payment failed",
        "expired": "This order has expired",
        "expired_now": "This order has just expired",
        "bad_amount": "This is no amount",
        "bad_currency": "This is no currency",
        "bad_choice": "There is no such choice",
        "amount": "Pay another amount",
        "currency": "Pay in another currency",
        "troubles": "Make something go wrong",
        "troubles_lead": "Choose a case and see how the merchant copes.",
        "fail": "The payment fails",
        "late": "Pay after the order is closed or expired",
        "twice": "Pay twice",
        "notify_thrice": "Notify three times",
        "notify_never": "Pay, but never notify",
        "notify_lost": "Lose two notifications, then retry",
        "query_5xx": "Three queries fail, notify after 20 s",
        "slow": "Everything is slow",
    },
}

STYLE = """
:root{color-scheme:light dark;--page:#eef1f6;--card:#fff;--ink:#17202e;--soft:#566176;
--line:#d8deea;--main:#1558d6;--main-ink:#fff;--note:#fff3d6;--note-ink:#5f4300}
@media(prefers-color-scheme:dark){:root{--page:#10151f;--card:#1a2130;--ink:#eaeffa;
--soft:#a3b0c8;--line:#334057;--main:#8db4ff;--main-ink:#0b1a36;--note:#3b3013;--note-ink:#ffe1a0}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,
"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif}
header{display:flex;flex-wrap:wrap;gap:4px 12px;align-items:baseline;max-width:560px;
margin:0 auto;padding:20px 16px 4px}
header span{color:var(--soft);font-size:14px;flex:1 1 180px}
a{color:var(--main)}
main{max-width:560px;margin:0 auto;padding:12px 16px 40px}
.card{background:var(--card);border:1px solid var(--line);border-radius:16px;padding:24px;
margin-bottom:16px;text-align:center}
.merchant{color:var(--soft);margin:0}
h1{font-size:44px;line-height:1.2;margin:4px 0;font-variant-numeric:tabular-nums;
overflow-wrap:anywhere}
h2{font-size:18px;margin:0}
p{margin:4px 0 12px}
dl{display:grid;grid-template-columns:auto 1fr;gap:8px 16px;margin:20px 0;padding:16px 0 0;
border-top:1px solid var(--line);font-size:14px}
dt{color:var(--soft);text-align:left}
dd{margin:0;text-align:right;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.note{background:var(--note);color:var(--note-ink);border-radius:8px;padding:8px 12px}
button,input,select{font:inherit;border-radius:10px;min-height:48px;width:100%;
border:1px solid var(--line);background:transparent;color:var(--ink);padding:8px 12px}
button{cursor:pointer}
button:focus-visible,input:focus-visible,select:focus-visible,a:focus-visible{
outline:3px solid var(--main);outline-offset:2px}
.main button{background:var(--main);color:var(--main-ink);border-color:var(--main);
font-weight:600;font-size:18px;min-height:54px}
.plain button{border-color:transparent;color:var(--soft);margin-top:8px}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(210px,1fr));gap:10px}
.trouble{display:flex;gap:8px;flex-direction:column}
.trouble button{font-size:14px;flex:1 0 auto}
select option{color:#17202e;background:#fff}
"""
