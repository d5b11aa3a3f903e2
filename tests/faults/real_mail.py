"""Settings of worker processes that hand mail to a real SMTP server, the one in EMAIL_URL."""

from tests.settings import *  # noqa: F403

EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
