
import django.db.models.deletion
import postpurchase.clock
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('stores', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Case',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=80)),
                ('kind', models.CharField(choices=[('damaged', 'Damaged or broken'), ('wrong_item', 'Wrong item'), ('missing', 'Something is missing'), ('not_arrived', 'Not arrived'), ('return', 'I want to return it'), ('question', 'A question')], max_length=12)),
                ('wish', models.CharField(blank=True, choices=[('replacement', 'A replacement'), ('refund', 'A refund'), ('advice', 'Advice')], max_length=12)),
                ('line_ids', models.JSONField(default=list)),
                ('state', models.CharField(choices=[('open', 'Open'), ('resolved', 'Resolved'), ('confirmed', 'Confirmed solved')], default='open', max_length=10)),
                ('language', models.CharField(blank=True, max_length=8)),
                ('opened_at', models.DateTimeField(default=postpurchase.clock.now)),
                ('resolutions', models.PositiveSmallIntegerField(default=0)),
                ('resolved_at', models.DateTimeField(blank=True, null=True)),
                ('confirmed_at', models.DateTimeField(blank=True, null=True)),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='cases', to='stores.customer')),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='cases', to='stores.order')),
                ('store', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='cases', to='stores.store')),
            ],
        ),
        migrations.CreateModel(
            name='CaseMessage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('author', models.CharField(choices=[('shopper', 'Customer'), ('shop', 'Shop')], max_length=8)),
                ('by', models.CharField(blank=True, max_length=120)),
                ('text', models.TextField()),
                ('at', models.DateTimeField(default=postpurchase.clock.now)),
                ('case', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='messages', to='reviews.case')),
            ],
            options={
                'ordering': ['at', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='Review',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('item_name', models.CharField(max_length=300)),
                ('rating', models.PositiveSmallIntegerField()),
                ('title', models.CharField(blank=True, max_length=120)),
                ('text', models.TextField(blank=True)),
                ('display_name', models.CharField(max_length=80)),
                ('language', models.CharField(blank=True, max_length=8)),
                ('rewarded', models.BooleanField(default=False)),
                ('state', models.CharField(choices=[('to_check', 'To check'), ('published', 'Published'), ('hidden', 'Hidden')], default='to_check', max_length=10)),
                ('hide_reason', models.CharField(blank=True, choices=[('spam', 'Spam or advertising'), ('personal_data', 'Personal data of someone'), ('abuse', 'Abuse or hate'), ('wrong_product', 'About another product')], max_length=16)),
                ('revision', models.PositiveIntegerField(default=1)),
                ('submitted_at', models.DateTimeField(default=postpurchase.clock.now)),
                ('edited_at', models.DateTimeField(blank=True, null=True)),
                ('auto_publish_at', models.DateTimeField(blank=True, null=True)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('decided_by', models.CharField(blank=True, max_length=120)),
                ('woo_id', models.BigIntegerField(blank=True, null=True)),
                ('store_status', models.CharField(blank=True, max_length=10)),
                ('published_at', models.DateTimeField(blank=True, null=True)),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='reviews', to='stores.customer')),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='reviews', to='stores.order')),
                ('product', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='reviews', to='stores.product')),
                ('store', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='reviews', to='stores.store')),
            ],
        ),
        migrations.CreateModel(
            name='Photo',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=40, unique=True)),
                ('file', models.CharField(max_length=200)),
                ('width', models.PositiveIntegerField()),
                ('height', models.PositiveIntegerField()),
                ('added_at', models.DateTimeField(default=postpurchase.clock.now)),
                ('case', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='photos', to='reviews.case')),
                ('store', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='photos', to='stores.store')),
                ('review', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='photos', to='reviews.review')),
            ],
        ),
        migrations.CreateModel(
            name='ReviewRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('enrolment_key', models.CharField(blank=True, max_length=200)),
                ('link_version', models.PositiveIntegerField(default=1)),
                ('state', models.CharField(choices=[('open', 'Asked'), ('answered', 'All items reviewed'), ('paused', 'Paused: open case'), ('closed', 'Closed')], default='open', max_length=10)),
                ('asked_at', models.DateTimeField(default=postpurchase.clock.now)),
                ('answered_at', models.DateTimeField(blank=True, null=True)),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='review_requests', to='stores.customer')),
                ('order', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='review_request', to='stores.order')),
                ('store', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='review_requests', to='stores.store')),
            ],
        ),
        migrations.AddField(
            model_name='review',
            name='request',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='reviews', to='reviews.reviewrequest'),
        ),
        migrations.CreateModel(
            name='ReviewSettings',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('auto_publish_hours', models.PositiveSmallIntegerField(blank=True, default=24, null=True)),
                ('store', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='review_settings', to='stores.store')),
            ],
        ),
        migrations.AddIndex(
            model_name='case',
            index=models.Index(fields=['store', 'state', '-opened_at'], name='case_state'),
        ),
        migrations.AddIndex(
            model_name='case',
            index=models.Index(condition=models.Q(('state', 'open')), fields=['customer'], name='case_open_customer'),
        ),
        migrations.AddIndex(
            model_name='case',
            index=models.Index(condition=models.Q(('state', 'open')), fields=['order'], name='case_open_order'),
        ),
        migrations.AddConstraint(
            model_name='case',
            constraint=models.UniqueConstraint(fields=('store', 'key'), name='case_key'),
        ),
        migrations.AddConstraint(
            model_name='photo',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('case__isnull', True), ('review__isnull', False)), models.Q(('case__isnull', False), ('review__isnull', True)), _connector='OR'), name='photo_of_one_thing'),
        ),
        migrations.AddIndex(
            model_name='reviewrequest',
            index=models.Index(fields=['store', 'state', '-asked_at'], name='review_request_state'),
        ),
        migrations.AddIndex(
            model_name='review',
            index=models.Index(fields=['store', 'state', '-submitted_at'], name='review_state'),
        ),
        migrations.AddIndex(
            model_name='review',
            index=models.Index(condition=models.Q(('state', 'to_check')), fields=['auto_publish_at'], name='review_auto_publish'),
        ),
        migrations.AddIndex(
            model_name='review',
            index=models.Index(fields=['customer', '-submitted_at'], name='review_customer'),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.UniqueConstraint(fields=('request', 'product'), name='review_once'),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.UniqueConstraint(condition=models.Q(('woo_id__isnull', False)), fields=('store', 'woo_id'), name='review_woo'),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.CheckConstraint(condition=models.Q(('rating__gte', 1), ('rating__lte', 5)), name='review_rating'),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'hidden'), _negated=True), models.Q(('hide_reason', ''), _negated=True), _connector='OR'), name='review_hidden_with_reason'),
        ),
    ]
