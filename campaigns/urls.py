"""Addresses of this app: `dashboard` under /app/<store>/, `public` at the root, `api` under /api/v1/."""

from django.urls import URLPattern, URLResolver, path

from campaigns.views import flows, inbox, library, outbox, shopper

dashboard: list[URLPattern | URLResolver] = [
    path("mail/", inbox.inbox, name="inbox"),
    path("mail/<int:pk>/", inbox.mail, name="inbox-mail"),
    path("mail/<int:pk>/body/", inbox.mail_body, name="inbox-mail-body"),
    path("flows/", flows.flow_list, name="flows"),
    path("sending/", flows.sending, name="sending"),
    path("flows/import/", flows.flow_import, name="flow_import"),
    path("flows/library/", library.flow_library, name="flow_library"),
    path("flows/library/<slug:recipe>/use/", library.library_use, name="library_use"),
    path("flows/<slug:flow>/", flows.flow, name="flow"),
    path("flows/<slug:flow>/file/", flows.flow_file, name="flow_file"),
    path("flows/<slug:flow>/set/<slug:state>/", flows.flow_state, name="flow_state"),
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
