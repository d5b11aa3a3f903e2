"""`manage.py messages`: brings the shopper's catalogues up to date and compiles them."""

import subprocess
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from postpurchase import translations


class Command(BaseCommand):
    help = "Collect the words that shoppers read, update each language's catalogue and compile it (needs gettext)."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            template = translations.extract()
        except (OSError, subprocess.CalledProcessError) as error:
            raise CommandError(
                f"The words could not be collected ({error}). Nothing was changed. Install gettext: apt-get install gettext."
            ) from error
        for language in translations.languages():
            open_words = translations.update(language, template)
            self.stdout.write(f"{language}: {len(translations.read(language))} texts, {len(open_words)} to translate")
            for words in open_words:
                self.stdout.write(f"  {words}")
