"""The database itself refuses to change a ledger entry."""

from django.db import migrations

POSTGRESQL = """
CREATE FUNCTION loyalty_entry_is_append_only() RETURNS trigger AS $$
BEGIN
    RAISE EXCEPTION 'a ledger entry is never changed; post another one';
END
$$ LANGUAGE plpgsql;
CREATE TRIGGER loyalty_entry_append_only BEFORE UPDATE ON loyalty_entry
    FOR EACH ROW EXECUTE FUNCTION loyalty_entry_is_append_only();
"""
POSTGRESQL_BACK = """
DROP TRIGGER loyalty_entry_append_only ON loyalty_entry;
DROP FUNCTION loyalty_entry_is_append_only();
"""
SQLITE = """
CREATE TRIGGER loyalty_entry_append_only BEFORE UPDATE ON loyalty_entry
BEGIN
    SELECT RAISE(ABORT, 'a ledger entry is never changed; post another one');
END;
"""
SQLITE_BACK = "DROP TRIGGER loyalty_entry_append_only;"


def forwards(apps, schema_editor):
    schema_editor.execute(POSTGRESQL if schema_editor.connection.vendor == "postgresql" else SQLITE)


def backwards(apps, schema_editor):
    schema_editor.execute(POSTGRESQL_BACK if schema_editor.connection.vendor == "postgresql" else SQLITE_BACK)


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0001_initial")]
    operations = [migrations.RunPython(forwards, backwards)]
