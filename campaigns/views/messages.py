"""Messages: the list, the editor with its preview and checks, versions, and new ones."""

import secrets
from urllib.parse import urlencode

from csp.decorators import csp_exempt
from django.contrib import messages
from django.db.models import Count, IntegerField, OuterRef, Prefetch, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from campaigns import content, definitions, mail_drafts, mail_editor, mail_people, mail_tests
from campaigns.blocks import labels
from campaigns.mail_editor import LOOKS, WIDTHS, Page
from campaigns.models import Flow, Message, MessageTemplate, TemplateVersion
from campaigns.steps.send_email import PURPOSES
from campaigns.views.inbox import framed
from postpurchase import listing
from postpurchase.errors import BusinessError
from postpurchase.listing import Cell, Column, Empty, Filter, Listing
from stores.access import FLOWS_EDIT, ORDERS_VIEW, StoreRequest, store_view
from stores.models import Store


def rows(store: Store) -> QuerySet[MessageTemplate]:
    """The store's messages with what the list shows of them."""
    sent = (
        Message.objects.filter(store=OuterRef("store_id"), template=OuterRef("name"), status=Message.Status.ACCEPTED)
        .order_by()
        .values("template")
        .annotate(n=Count("pk"))
        .values("n")
    )
    published = Flow.objects.select_related("live").filter(live__isnull=False)
    newest = TemplateVersion.objects.defer("html", "text", "blocks").order_by("number")
    return (
        store.message_templates.select_related("store", "draft")
        .defer("store__consumer_key", "store__consumer_secret")
        .prefetch_related(Prefetch("versions", newest), Prefetch("store__flows", published))
        .annotate(
            sent=Coalesce(Subquery(sent, output_field=IntegerField()), 0),
            edited_at=Subquery(
                TemplateVersion.objects.filter(template=OuterRef("pk")).order_by("-number").values("created_at")[:1]
            ),
        )
    )


def sends(flow: Flow, name: str) -> bool:
    """Whether the live version of a flow sends the message."""
    steps = flow.live.definition.get("steps") or [] if flow.live else []
    return any(step.get("template") == name for step in definitions.walk(steps))


def users(store: Store, name: str) -> list[Flow]:
    """The flows that send a message. One query."""
    flows = store.flows.select_related("live").filter(live__isnull=False).order_by("name")
    return [flow for flow in flows if sends(flow, name)]


def _flows(one: MessageTemplate) -> str:
    return ", ".join(sorted(flow.name for flow in one.store.flows.all() if sends(flow, one.name)))


def _name(one: MessageTemplate) -> Cell:
    return Cell(str(one), url=reverse("message_edit", args=[one.store.slug, one.pk]), meta=one.name)


def _languages(one: MessageTemplate) -> Cell:
    newest = {version.language: version for version in one.versions.all()}
    if not newest:
        return Cell(badge=("warn", str(_("Not in use yet"))))
    fallen = {language: len(version.fallen) for language, version in newest.items() if version.fallen}
    meta = ", ".join(
        ngettext("%(code)s: %(n)d part falls back", "%(code)s: %(n)d parts fall back", n) % {"code": code, "n": n}
        for code, n in sorted(fallen.items())
    )
    return Cell(", ".join(sorted(newest)), meta=meta)


def _draft(one: MessageTemplate) -> Cell | str:
    return Cell(badge=("info", str(_("Being edited")), "edit")) if hasattr(one, "draft") else ""


LISTING = Listing(
    name="messages",
    title=gettext_lazy("Messages"),
    lede=gettext_lazy("What your flows write, in every language of your customers."),
    rows=rows,
    columns=[
        Column("name", gettext_lazy("Message"), _name, sort="name", export=str),
        Column("class", gettext_lazy("Class"), lambda one: one.get_klass_display(), sort="klass"),
        Column("flows", gettext_lazy("Sent by"), _flows),
        Column("languages", gettext_lazy("Languages"), _languages),
        Column("draft", gettext_lazy("Draft"), _draft, phone=False),
        Column("sent", gettext_lazy("Sent"), lambda one: one.sent, sort="sent", number=True),
        Column(
            "edited",
            gettext_lazy("In use since"),
            lambda one: Cell(at=one.edited_at),
            sort="edited_at",
            nullable=True,
            number=True,
            phone=False,
        ),
    ],
    counted=lambda n, shown: ngettext("%(n)s message", "%(n)s messages", n) % {"n": shown},
    sort="name",
    search=("name__icontains", "title__icontains"),
    search_hint=gettext_lazy("Name of a message"),
    filters=[Filter("class", gettext_lazy("Any class"), Flow.Klass.choices, "klass")],
    head="campaigns/messages_head.html",
    empty=Empty(
        gettext_lazy("No messages yet"),
        gettext_lazy("Each flow brings the messages it sends; your own begin here, empty or like one of the library."),
        icon="mail",
    ),
)


@store_view(ORDERS_VIEW)
def message_list(request: StoreRequest) -> HttpResponse:
    """All messages of the store."""
    return listing.answer(request, LISTING)


@store_view(FLOWS_EDIT)
def message_new(request: StoreRequest) -> HttpResponse:
    """Begin a message of one's own."""
    given = {name: request.POST.get(name, "") for name in ("title", "klass", "purpose", "like")}
    if request.method == "POST":
        try:
            made = mail_drafts.new(request.store, actor=request.user, **given)
        except BusinessError as refusal:
            messages.error(request, refusal.message)
        else:
            return redirect("message_edit", store=request.store.slug, pk=made.pk)
    own = [(one.name, str(one)) for one in request.store.message_templates.order_by("name")]
    taken = {name for name, _title in own}
    context = {
        "given": given | {"klass": given["klass"] or "T", "purpose": given["purpose"] or "order"},
        "classes": Flow.Klass.choices,
        "purposes": PURPOSES,
        "own": own,
        "library": [name for name in content.names() if name not in taken],
    }
    return render(request, "campaigns/message_new.html", context, status=422 if request.method == "POST" else 200)


def _template(request: StoreRequest, pk: int) -> MessageTemplate:
    found = get_object_or_404(MessageTemplate, store=request.store, pk=pk)
    found.store = request.store
    return found


@store_view(FLOWS_EDIT)
def edit(request: StoreRequest, pk: int) -> HttpResponse:
    """The editor. Each POST keeps what was typed, then does what its button says."""
    template = _template(request, pk)
    if request.method != "POST":
        return _show(request, mail_editor.page(request, template, tab=secrets.token_hex(8)))
    page = mail_editor.page(request, template, tab=request.POST.get("tab", ""), form=request.POST)
    action, _colon, about = request.POST.get("do", "save").partition(":")
    try:
        page.content, page.at = mail_editor.changed(page.content, action, about, request.POST)
        page.revision = mail_drafts.save(
            template,
            page.content,
            revision=page.given_revision,
            tab=page.tab,
            actor=request.user,
            force=action == "overwrite",
        )
        _act(request, page, action)
    except BusinessError as refusal:
        if refusal.code != "draft_changed":
            messages.error(request, refusal.message)
            return _back(request, page)
        page.conflict = refusal.message
        return _show(request, page, status=409)
    if action == "lang" and about in mail_drafts.LANGUAGES:
        page.language = about
    return _back(request, page)


def _act(request: StoreRequest, page: Page, action: str) -> None:
    if action == "use":
        number = mail_drafts.use(page.template, revision=page.revision, actor=request.user)
        messages.success(request, _("Version %(n)d is in use. It is what is sent from now on.") % {"n": number})
    elif action == "discard":
        mail_drafts.discard(page.template, actor=request.user)
        messages.success(request, _("Your changes are thrown away. The version in use stands here."))
    elif action == "test":
        sent = mail_tests.send(page.template, page.text, page.person, to=request.user.email, actor=request.user)
        messages.success(request, _("A test is on its way to %(to)s: “%(subject)s”.") % sent)
    elif action in {"save", "overwrite"}:
        messages.success(request, _("Your work is kept. It is not sent until you put it to use."))


def _back(request: StoreRequest, page: Page) -> HttpResponse:
    query = {"lang": page.language, "look": page.look, "width": page.width, "who": page.who, "at": page.at}
    where = reverse("message_edit", args=[request.store.slug, page.template.pk])
    anchor = f"#at-{page.at}" if page.at else ""
    return HttpResponseRedirect(f"{where}?{urlencode({key: value for key, value in query.items() if value})}{anchor}")


def _show(request: StoreRequest, page: Page, *, status: int = 200) -> HttpResponse:
    template = page.template
    context = mail_editor.context(page) | {
        "page": page,
        "message": template,
        "users": users(request.store, template.name),
        "looks": LOOKS,
        "widths": WIDTHS,
        "kinds": [(name, *words) for name, words in labels.KINDS.items()],
        "people": mail_people.choices(request.store, page.who) if page.may_see_people else [],
    }
    return render(request, "campaigns/message_edit.html", context, status=status)


@require_POST
@store_view(FLOWS_EDIT)
def live(request: StoreRequest, pk: int) -> HttpResponse:
    """The preview and the checks of what is being typed, which is kept at the same time."""
    template = _template(request, pk)
    page = mail_editor.page(request, template, tab=request.POST.get("tab", ""), form=request.POST)
    try:
        page.revision = mail_drafts.save(
            template, page.content, revision=page.given_revision, tab=page.tab, actor=request.user
        )
    except BusinessError as refusal:
        page.conflict = refusal.message
    return render(request, "campaigns/message_proof.html", mail_editor.context(page) | {"page": page, "swapped": True})


@csp_exempt()
@store_view(FLOWS_EDIT)
def frame(request: StoreRequest, pk: int) -> HttpResponse:
    """The mail itself, for the sandboxed frame: no scripts, no forms; dark or without pictures when asked."""
    page = mail_editor.page(request, _template(request, pk))
    proof = page.proof
    if proof.rendered is None:
        return framed("<head></head><p>Not written.</p>", dark=False)
    return framed(proof.rendered.html, dark=page.look == "dark", pictures=page.look != "bare")


@store_view(FLOWS_EDIT)
def versions(request: StoreRequest, pk: int) -> HttpResponse:
    """All versions; two of them side by side; going back to one."""
    template = _template(request, pk)
    if request.method == "POST":
        number = request.POST.get("number", "")
        try:
            mail_drafts.restore(template, int(number) if number.isdigit() else -1, tab="", actor=request.user)
        except BusinessError as refusal:
            messages.error(request, refusal.message)
        else:
            messages.success(
                request, _("Version %(n)s stands in the editor. Put it to use to send it.") % {"n": number}
            )
            return redirect("message_edit", store=request.store.slug, pk=pk)
    found = mail_drafts.versions(template)
    numbers = {one.number for one in found} | {0}
    pair = [int(given) if (given := request.GET.get(name, "")).isdigit() else None for name in ("from", "to")]
    if any(number is not None and number not in numbers for number in pair):
        raise Http404
    newest = found[0].number if found else 0
    older = found[1].number if len(found) > 1 else newest
    before, after = (given if given is not None else usual for given, usual in zip(pair, (older, newest), strict=True))
    context = {
        "message": template,
        "versions": found,
        "before": before,
        "after": after,
        "compared": mail_editor.compared(template, before, after),
        "has_draft": mail_drafts.opened(template).revision > 0,
    }
    return render(request, "campaigns/message_versions.html", context)
