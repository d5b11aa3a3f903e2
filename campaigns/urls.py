"""Addresses of this app: `dashboard` under /app/<store>/, `public` at the root, `api` under /api/v1/."""

from django.urls import URLPattern, URLResolver, path

from campaigns.views import editor, flow_on, flow_publish, flow_start, flows, inbox, library, messages, outbox, shopper

dashboard: list[URLPattern | URLResolver] = [
    path("mail/", inbox.inbox, name="inbox"),
    path("mail/<int:pk>/", inbox.mail, name="inbox-mail"),
    path("mail/<int:pk>/body/", inbox.mail_body, name="inbox-mail-body"),
    path("flows/", flows.flow_list, name="flows"),
    path("sending/", flows.sending, name="sending"),
    path("flows/import/", flows.flow_import, name="flow_import"),
    path("flows/library/", library.flow_library, name="flow_library"),
    path("flows/library/<slug:recipe>/use/", library.library_use, name="library_use"),
    path("flows/new/", flows.flow_new, name="flow_new"),
    path("flows/<slug:flow>/", flows.flow, name="flow"),
    path("flows/<slug:flow>/edit/", editor.edit, name="flow_edit"),
    path("flows/<slug:flow>/edit/start/", flow_start.start, name="flow_start"),
    path("flows/<slug:flow>/edit/add/", editor.add, name="flow_step_add"),
    path("flows/<slug:flow>/edit/undo/", editor.undo, name="flow_undo"),
    path("flows/<slug:flow>/edit/discard/", flow_publish.discard, name="flow_discard"),
    path("flows/<slug:flow>/edit/file/", editor.file, name="flow_draft_file"),
    path("flows/<slug:flow>/edit/compare/", flow_publish.compare, name="flow_compare"),
    path("flows/<slug:flow>/edit/steps/<slug:uid>/", editor.step, name="flow_step"),
    path("flows/<slug:flow>/edit/steps/<slug:uid>/do/<slug:action>/", editor.step_do, name="flow_step_do"),
    path("flows/<slug:flow>/publish/", flow_publish.publish, name="flow_publish"),
    path("flows/<slug:flow>/versions/", flow_publish.versions, name="flow_versions"),
    path("flows/<slug:flow>/versions/<int:number>/file/", flow_publish.version_file, name="flow_version_file"),
    path("flows/<slug:flow>/versions/<int:number>/restore/", flow_publish.restore, name="flow_restore"),
    path("flows/<slug:flow>/manage/", flow_publish.manage, name="flow_manage"),
    path("flows/<slug:flow>/turn-on/", flow_on.turn_on, name="flow_on"),
    path("flows/<slug:flow>/file/", flows.flow_file, name="flow_file"),
    path("flows/<slug:flow>/set/<slug:state>/", flows.flow_state, name="flow_state"),
    path("messages/", messages.message_list, name="messages"),
    path("messages/new/", messages.message_new, name="message_new"),
    path("messages/<int:pk>/", messages.edit, name="message_edit"),
    path("messages/<int:pk>/live/", messages.live, name="message_live"),
    path("messages/<int:pk>/frame/", messages.frame, name="message_frame"),
    path("messages/<int:pk>/versions/", messages.versions, name="message_versions"),
    path("outbox/", outbox.outbox, name="outbox"),
    path("outbox/<int:pk>/", outbox.message, name="message"),
    path("outbox/<int:pk>/html/", outbox.message_html, name="message_html"),
    path("outbox/<int:pk>/do/<slug:action>/", outbox.message_do, name="message_do"),
    path("enrolments/<int:pk>/do/<slug:action>/", outbox.enrolment_do, name="enrolment_do"),
]
public: list[URLPattern | URLResolver] = [
    path("p/<str:token>/", shopper.preferences_page, name="preferences"),
    path("u/<str:token>/", shopper.unsubscribe, name="unsubscribe"),
    path("d/<str:token>/", shopper.confirm, name="confirm"),
    path("c/<str:token>/", shopper.follow, name="counted"),
]
api: list[tuple[str, type, str]] = []
