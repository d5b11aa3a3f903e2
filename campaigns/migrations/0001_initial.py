
import django.db.models.deletion
import postpurchase.clock
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('stores', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='CountedLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('place', models.CharField(max_length=40)),
                ('destination', models.URLField(max_length=1000)),
                ('created_at', models.DateTimeField(default=postpurchase.clock.now)),
                ('store', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='counted_links', to='stores.store')),
            ],
        ),
        migrations.CreateModel(
            name='Flow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(max_length=60)),
                ('name', models.CharField(max_length=120)),
                ('recipe', models.CharField(blank=True, max_length=8)),
                ('klass', models.CharField(choices=[('T', 'Transactional'), ('S', 'Service'), ('M', 'Marketing')], max_length=1)),
                ('state', models.CharField(choices=[('off', 'Off'), ('review', 'Review first'), ('on', 'On')], default='off', max_length=8)),
                ('draft', models.JSONField(blank=True, null=True)),
                ('draft_token', models.PositiveIntegerField(default=0)),
                ('undo', models.JSONField(blank=True, null=True)),
                ('archived_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(default=postpurchase.clock.now)),
                ('edited_at', models.DateTimeField(default=postpurchase.clock.now)),
                ('store', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='flows', to='stores.store')),
            ],
        ),
        migrations.CreateModel(
            name='FlowVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('definition', models.JSONField()),
                ('published_at', models.DateTimeField(default=postpurchase.clock.now)),
                ('published_by', models.CharField(blank=True, max_length=254)),
                ('flow', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='campaigns.flow')),
            ],
        ),
        migrations.AddField(
            model_name='flow',
            name='live',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='campaigns.flowversion'),
        ),
        migrations.CreateModel(
            name='Enrolment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('due', 'due'), ('running', 'running'), ('done', 'done'), ('dead', 'dead'), ('held', 'held')], default='due', max_length=8)),
                ('due_at', models.DateTimeField(default=postpurchase.clock.now)),
                ('priority', models.SmallIntegerField(choices=[(0, 'write-back'), (10, 'transactional'), (20, 'poll'), (30, 'marketing'), (40, 'backfill')], default=30)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('lease_token', models.UUIDField(blank=True, null=True)),
                ('error_code', models.CharField(blank=True, default='', max_length=64)),
                ('error', models.TextField(blank=True, default='')),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('key', models.CharField(max_length=200)),
                ('status', models.CharField(choices=[('active', 'In progress'), ('finished', 'Finished'), ('left', 'Left early'), ('failed', 'Failed')], default='active', max_length=8)),
                ('reason', models.CharField(blank=True, max_length=200)),
                ('step', models.CharField(blank=True, max_length=40)),
                ('waiting', models.BooleanField(default=False)),
                ('context', models.JSONField(default=dict)),
                ('entered_at', models.DateTimeField(default=postpurchase.clock.now)),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='enrolments', to='stores.customer')),
                ('line', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='stores.orderline')),
                ('order', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='enrolments', to='stores.order')),
                ('store', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='enrolments', to='stores.store')),
                ('flow', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='enrolments', to='campaigns.flow')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='enrolments', to='campaigns.flowversion')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='InboxMail',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('to', models.CharField(max_length=320)),
                ('sender', models.CharField(max_length=320)),
                ('subject', models.CharField(max_length=998)),
                ('headers', models.JSONField(default=list)),
                ('text', models.TextField(blank=True)),
                ('html', models.TextField(blank=True)),
                ('at', models.DateTimeField(default=postpurchase.clock.now)),
                ('store', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='inbox_mails', to='stores.store')),
            ],
        ),
        migrations.CreateModel(
            name='LinkVisit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('person', 'Person'), ('machine', 'Machine'), ('unknown', 'Not known')], default='unknown', max_length=8)),
                ('at', models.DateTimeField(default=postpurchase.clock.now)),
                ('link', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='visits', to='campaigns.countedlink')),
            ],
        ),
        migrations.CreateModel(
            name='Message',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('due', 'due'), ('running', 'running'), ('done', 'done'), ('dead', 'dead'), ('held', 'held')], default='due', max_length=8)),
                ('due_at', models.DateTimeField(default=postpurchase.clock.now)),
                ('priority', models.SmallIntegerField(choices=[(0, 'write-back'), (10, 'transactional'), (20, 'poll'), (30, 'marketing'), (40, 'backfill')], default=30)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('lease_token', models.UUIDField(blank=True, null=True)),
                ('error_code', models.CharField(blank=True, default='', max_length=64)),
                ('error', models.TextField(blank=True, default='')),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('key', models.CharField(max_length=200)),
                ('step', models.CharField(blank=True, max_length=40)),
                ('channel', models.CharField(default='email', max_length=12)),
                ('klass', models.CharField(choices=[('T', 'Transactional'), ('S', 'Service'), ('M', 'Marketing')], max_length=1)),
                ('purpose', models.CharField(max_length=12)),
                ('template', models.CharField(max_length=80)),
                ('context', models.JSONField(default=dict)),
                ('status', models.CharField(choices=[('planned', 'Planned'), ('held', 'Waiting'), ('approval', 'Needs approval'), ('claimed', 'Sending'), ('handing', 'Sending now'), ('accepted', 'Sent'), ('retry', 'Retrying'), ('unknown', 'Unclear: may have been sent'), ('failed', 'Failed'), ('skipped', 'Skipped'), ('expired', 'Too late'), ('cancelled', 'Cancelled')], default='planned', max_length=10)),
                ('reason', models.CharField(blank=True, max_length=300)),
                ('trace', models.JSONField(default=list)),
                ('created_at', models.DateTimeField(default=postpurchase.clock.now)),
                ('planned_for', models.DateTimeField()),
                ('useful_until', models.DateTimeField()),
                ('approved_at', models.DateTimeField(blank=True, null=True)),
                ('uuid', models.UUIDField(default=uuid.uuid4, unique=True)),
                ('to', models.CharField(blank=True, max_length=254)),
                ('language', models.CharField(blank=True, max_length=8)),
                ('subject', models.CharField(blank=True, max_length=300)),
                ('html', models.TextField(blank=True)),
                ('text', models.TextField(blank=True)),
                ('handed_at', models.DateTimeField(blank=True, null=True)),
                ('accepted_at', models.DateTimeField(blank=True, null=True)),
                ('provider_id', models.CharField(blank=True, max_length=200)),
                ('provider_answer', models.TextField(blank=True)),
                ('delivered_at', models.DateTimeField(blank=True, null=True)),
                ('bounced_at', models.DateTimeField(blank=True, null=True)),
                ('complained_at', models.DateTimeField(blank=True, null=True)),
                ('clicked_at', models.DateTimeField(blank=True, null=True)),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='messages', to='stores.customer')),
                ('enrolment', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='messages', to='campaigns.enrolment')),
                ('flow', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='messages', to='campaigns.flow')),
                ('order', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='messages', to='stores.order')),
                ('request', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='messages', to='stores.messagerequest')),
                ('store', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='messages', to='stores.store')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.AddField(
            model_name='countedlink',
            name='message',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='counted_links', to='campaigns.message'),
        ),
        migrations.CreateModel(
            name='MessageTemplate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=60)),
                ('title', models.CharField(blank=True, max_length=120)),
                ('klass', models.CharField(choices=[('T', 'Transactional'), ('S', 'Service'), ('M', 'Marketing')], max_length=1)),
                ('purpose', models.CharField(max_length=12)),
                ('created_at', models.DateTimeField(default=postpurchase.clock.now)),
                ('store', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='message_templates', to='stores.store')),
            ],
        ),
        migrations.CreateModel(
            name='Preference',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('language', models.CharField(blank=True, max_length=8)),
                ('customer', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='preference', to='stores.customer')),
                ('store', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='stores.store')),
            ],
        ),
        migrations.CreateModel(
            name='SentLedger',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=200)),
                ('at', models.DateTimeField(default=postpurchase.clock.now)),
                ('store', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sent_ledger', to='stores.store')),
            ],
        ),
        migrations.CreateModel(
            name='StepRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('step', models.CharField(max_length=40)),
                ('kind', models.CharField(max_length=20)),
                ('at', models.DateTimeField(default=postpurchase.clock.now)),
                ('outcome', models.CharField(choices=[('done', 'Done'), ('skipped', 'Skipped'), ('yes', 'Yes'), ('no', 'No')], default='done', max_length=8)),
                ('reason', models.CharField(blank=True, max_length=200)),
                ('enrolment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='runs', to='campaigns.enrolment')),
            ],
        ),
        migrations.CreateModel(
            name='Suppression',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('address_key', models.CharField(max_length=64)),
                ('reason', models.CharField(max_length=40)),
                ('at', models.DateTimeField(default=postpurchase.clock.now)),
                ('store', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='suppressions', to='stores.store')),
            ],
        ),
        migrations.CreateModel(
            name='TemplateDraft',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('content', models.JSONField(default=dict)),
                ('revision', models.PositiveIntegerField(default=1)),
                ('tab', models.CharField(blank=True, max_length=32)),
                ('saved_by', models.CharField(blank=True, max_length=254)),
                ('saved_at', models.DateTimeField(default=postpurchase.clock.now)),
                ('template', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='draft', to='campaigns.messagetemplate')),
            ],
        ),
        migrations.CreateModel(
            name='TemplateVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('language', models.CharField(max_length=8)),
                ('number', models.PositiveIntegerField()),
                ('subject', models.CharField(max_length=255)),
                ('preheader', models.CharField(max_length=255)),
                ('blocks', models.JSONField(default=list)),
                ('fallen', models.JSONField(default=list)),
                ('html', models.TextField()),
                ('text', models.TextField()),
                ('made_by', models.CharField(blank=True, max_length=254)),
                ('created_at', models.DateTimeField(default=postpurchase.clock.now)),
                ('template', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='campaigns.messagetemplate')),
            ],
        ),
        migrations.CreateModel(
            name='Consent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('channel', models.CharField(max_length=10)),
                ('purpose', models.CharField(max_length=12)),
                ('state', models.CharField(blank=True, choices=[('', 'Never asked'), ('pending', 'Asked, not confirmed'), ('granted', 'Agreed'), ('denied', 'Refused')], default='', max_length=8)),
                ('source', models.CharField(blank=True, max_length=40)),
                ('at', models.DateTimeField(blank=True, null=True)),
                ('paused_until', models.DateTimeField(blank=True, null=True)),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='consents', to='stores.customer')),
                ('store', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='consents', to='stores.store')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('customer', 'channel', 'purpose'), name='consent_once')],
            },
        ),
        migrations.CreateModel(
            name='ConsentEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('channel', models.CharField(max_length=10)),
                ('purpose', models.CharField(max_length=12)),
                ('state', models.CharField(max_length=8)),
                ('source', models.CharField(max_length=40)),
                ('text_version', models.CharField(blank=True, max_length=40)),
                ('country', models.CharField(blank=True, max_length=2)),
                ('at', models.DateTimeField(default=postpurchase.clock.now)),
                ('proof', models.JSONField(default=dict)),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='consent_events', to='stores.customer')),
                ('store', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='consent_events', to='stores.store')),
            ],
            options={
                'indexes': [models.Index(fields=['customer', '-at'], name='consent_event_recent')],
            },
        ),
        migrations.CreateModel(
            name='DryRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('draft', models.BooleanField(default=False)),
                ('recipe', models.CharField(blank=True, max_length=8)),
                ('digest', models.CharField(max_length=64)),
                ('days', models.PositiveSmallIntegerField()),
                ('result', models.JSONField(default=dict)),
                ('made_at', models.DateTimeField(default=postpurchase.clock.now)),
                ('store', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='dry_runs', to='stores.store')),
                ('flow', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='dry_runs', to='campaigns.flow')),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('flow__isnull', False)), fields=('flow', 'draft'), name='dry_run_of_flow'), models.UniqueConstraint(condition=models.Q(('recipe', ''), _negated=True), fields=('store', 'recipe'), name='dry_run_of_recipe')],
            },
        ),
        migrations.AddConstraint(
            model_name='flowversion',
            constraint=models.UniqueConstraint(fields=('flow', 'number'), name='flow_version_number'),
        ),
        migrations.AddConstraint(
            model_name='flow',
            constraint=models.UniqueConstraint(fields=('store', 'slug'), name='flow_slug'),
        ),
        migrations.AddIndex(
            model_name='enrolment',
            index=models.Index(condition=models.Q(('state', 'due')), fields=['priority', 'due_at'], name='enrolment_due'),
        ),
        migrations.AddIndex(
            model_name='enrolment',
            index=models.Index(condition=models.Q(('state', 'running')), fields=['lease_until'], name='enrolment_lease'),
        ),
        migrations.AddIndex(
            model_name='enrolment',
            index=models.Index(fields=['flow', 'status', 'step'], name='enrolment_where'),
        ),
        migrations.AddIndex(
            model_name='enrolment',
            index=models.Index(fields=['flow', 'entered_at'], name='enrolment_entered'),
        ),
        migrations.AddConstraint(
            model_name='enrolment',
            constraint=models.UniqueConstraint(fields=('store', 'key'), name='enrolment_key'),
        ),
        migrations.AddIndex(
            model_name='inboxmail',
            index=models.Index(fields=['store', '-at'], name='inbox_mail_recent'),
        ),
        migrations.AddIndex(
            model_name='linkvisit',
            index=models.Index(fields=['link', 'at'], name='link_visit_at'),
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(condition=models.Q(('state', 'due')), fields=['priority', 'due_at'], name='message_due'),
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(condition=models.Q(('state', 'running')), fields=['lease_until'], name='message_lease'),
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(fields=['store', '-planned_for'], name='message_recent'),
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(fields=['store', 'status', '-planned_for'], name='message_status'),
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(condition=models.Q(('order__isnull', False)), fields=['store', 'order'], name='message_order'),
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(fields=['store', 'customer', '-planned_for'], name='message_customer'),
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(fields=['flow', 'step', 'status'], name='message_step'),
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(condition=models.Q(('text', ''), _negated=True), fields=['accepted_at'], name='message_letters'),
        ),
        migrations.AddConstraint(
            model_name='message',
            constraint=models.UniqueConstraint(fields=('store', 'key'), name='message_key'),
        ),
        migrations.AddConstraint(
            model_name='countedlink',
            constraint=models.UniqueConstraint(fields=('message', 'place'), name='counted_link_place'),
        ),
        migrations.AddConstraint(
            model_name='messagetemplate',
            constraint=models.UniqueConstraint(fields=('store', 'name'), name='message_template_name'),
        ),
        migrations.AddConstraint(
            model_name='sentledger',
            constraint=models.UniqueConstraint(fields=('store', 'key'), name='sent_ledger_key'),
        ),
        migrations.AddConstraint(
            model_name='steprun',
            constraint=models.UniqueConstraint(fields=('enrolment', 'step'), name='step_run_once'),
        ),
        migrations.AddConstraint(
            model_name='suppression',
            constraint=models.UniqueConstraint(fields=('store', 'address_key'), name='suppression_once'),
        ),
        migrations.AddConstraint(
            model_name='templateversion',
            constraint=models.UniqueConstraint(fields=('template', 'language', 'number'), name='template_version_number'),
        ),
    ]
