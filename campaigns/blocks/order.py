"""Blocks about an order and what goes with it: when it comes, what was bought, its parcels, what suits it."""

from html import escape

from django.utils.translation import gettext as _

from campaigns.blocks.base import Block, Built, Field, Slots, picture, register, row, style, title


@register("delivery", needs="order")
def delivery(block: Block, slots: Slots) -> Built:
    inner = slots.markup(
        '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"><tr>'
        '<td class="well" style="background-color:#F6F6F4;border-radius:6px;padding:16px">'
        f'<span class="t2" style="{style(14, 22, "#4F565E")}">{{{{ delivery.label }}}}</span><br />'
        f'<span class="t1" style="{style(20, 28, "#1F2328", 600)}">{{{{ delivery.window }}}}</span>'
        f'{{% if delivery.to %}}<br /><span class="t2" style="{style(14, 22, "#4F565E")}">{{{{ delivery.to }}}}</span>'
        "{% endif %}</td></tr></table>"
    )
    text = "{{ delivery.label }}: {{ delivery.window }}{% if delivery.to %}\n{{ delivery.to }}{% endif %}"
    return (
        f"<mj-raw>{slots.raw('{% if delivery.window %}')}</mj-raw>{row(inner, padding='20px 32px 0')}"
        f"<mj-raw>{slots.raw('{% endif %}')}</mj-raw>",
        "{% if delivery.window %}" + text + "{% endif %}",
    )


@register("items", Field("title"), needs="order")
def items(block: Block, slots: Slots) -> Built:
    # Words stand outside the f-strings, where the extractor finds them.
    item, price = escape(_("Item")), escape(_("Price"))
    head = style(13, 20, "#4F565E")
    cell = "border-top:1px solid #DCDCD7;" + style(16, 24, "#1F2328")
    total = style(16, 24, "#4F565E")
    table = slots.markup(
        '<table width="100%" cellpadding="0" cellspacing="0" border="0" style="border-collapse:collapse">'
        f'<tr><th scope="col" class="t2" align="left" colspan="2" style="padding:0 0 6px;{head}">{item}</th>'
        f'<th scope="col" class="t2" align="right" style="padding:0 0 6px;{head}">{price}</th></tr>'
        "{% for item in order.items %}<tr>"
        '{% if order.pictures %}<td class="ln" width="74" style="padding:12px 0;border-top:1px solid #DCDCD7">'
        f"{{% if item.image %}}{picture('item')}{{% endif %}}</td>{{% endif %}}"
        '<th scope="row" class="t1 ln" align="left"{% unless order.pictures %} colspan="2"{% endunless %} '
        f'style="padding:12px 14px 12px {{% if order.pictures %}}14px{{% else %}}0{{% endif %}};{cell}">{{{{ item.name }}}}<br />'
        '<span class="t2" style="font-size:14px;line-height:20px;color:#4F565E">{{ item.pieces }}</span></th>'
        f'<td class="t1 ln" align="right" style="padding:12px 0;{cell}white-space:nowrap">{{{{ item.total }}}}</td></tr>'
        "{% endfor %}"
        '<tr><td class="ln" colspan="3" style="border-top:1px solid #DCDCD7;font-size:0;line-height:8px;height:8px">'
        "&#160;</td></tr>"
        "{% for line in order.lines %}"
        f'<tr><th scope="row" class="t2" colspan="2" align="left" style="padding:4px 0;{total}">{{{{ line.label }}}}</th>'
        f'<td class="t2" align="right" style="padding:4px 0;{total}white-space:nowrap">{{{{ line.amount }}}}</td></tr>'
        "{% endfor %}"
        f'<tr><th scope="row" class="t1 ln" colspan="2" align="left" style="padding:10px 0;{cell}font-weight:600">'
        f'{{{{ order.total_label }}}}</th><td class="t1 ln" align="right" style="padding:10px 0;{cell}font-weight:600;'
        'white-space:nowrap">{{ order.total }}</td></tr></table>'
    )
    text = (
        f"{block['title']}\n\n"
        "{% for item in order.items %}{{ item.name }}\n  {{ item.pieces }}, {{ item.total }}\n{% endfor %}\n"
        "{% for line in order.lines %}{{ line.label }}: {{ line.amount }}\n{% endfor %}"
        "{{ order.total_label }}: {{ order.total }}"
    )
    return title(slots.words(block["title"])) + row(table, padding="12px 32px 0"), text


@register("tracking", needs="order")
def tracking(block: Block, slots: Slots) -> Built:
    follow = escape(_("Follow the parcel"))
    rows = slots.markup(
        "{% for parcel in parcels %}"
        f'<tr><td class="pad t1" style="padding:8px 32px 0;{style(16, 26, "#1F2328")}">'
        '{{ parcel.words }}{% if parcel.url %}<br /><a class="lk" href="{{ parcel.url }}" style="color:{{ shop.accent }};'
        f'text-decoration:underline">{follow}</a>{{% endif %}}</td></tr>{{% endfor %}}'
    )
    text = "{% for parcel in parcels %}{{ parcel.words }}{% if parcel.url %}\n{{ parcel.url }}{% endif %}\n{% endfor %}"
    return f"<mj-raw>{rows}</mj-raw>", text


@register("products", Field("title"))
def products(block: Block, slots: Slots) -> Built:
    cell = "border-top:1px solid #DCDCD7;" + style(16, 24, "#1F2328")
    link = "color:{{ shop.accent }};text-decoration:underline"
    table = slots.markup(
        '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="border-collapse:collapse">'
        '{% for item in picks.items %}<tr>{% if picks.pictures %}<td class="ln" width="74" style="padding:12px 0;'
        f'border-top:1px solid #DCDCD7">{{% if item.image %}}{picture("item")}{{% endif %}}</td>{{% endif %}}'
        f'<td class="t1 ln" align="left" style="padding:12px 14px 12px {{% if picks.pictures %}}14px{{% else %}}0{{% endif %}};{cell}">'
        f'{{% if item.url %}}<a class="lk" href="{{{{ item.url }}}}" style="{link}">{{{{ item.name }}}}</a>'
        "{% else %}{{ item.name }}{% endif %}"
        '{% if item.why %}<br /><span class="t2" style="font-size:14px;line-height:20px;color:#4F565E">{{ item.why }}</span>'
        f'{{% endif %}}</td><td class="t1 ln" align="right" style="padding:12px 0;{cell}white-space:nowrap">'
        "{{ item.price }}</td></tr>{% endfor %}</table>"
    )
    text = (
        f"{block['title']}\n\n"
        "{% for item in picks.items %}{{ item.name }}{% if item.price %}, {{ item.price }}{% endif %}"
        "{% if item.url %}\n  {{ item.url }}{% endif %}\n{% endfor %}"
    )
    opens, closes = slots.raw("{% if picks.items.size > 0 %}"), slots.raw("{% endif %}")
    html = f"<mj-raw>{opens}</mj-raw>{title(slots.words(block['title']))}{row(table, padding='12px 32px 0')}"
    return html + f"<mj-raw>{closes}</mj-raw>", "{% if picks.items.size > 0 %}" + text + "{% endif %}"
