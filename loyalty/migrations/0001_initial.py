
import django.core.validators
import django.db.models.deletion
import postpurchase.clock
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('stores', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='EarnRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('order', 'Points for what was paid'), ('review', 'Points for a review, the same for any rating')], max_length=12)),
                ('version', models.PositiveIntegerField(default=1)),
                ('points', models.DecimalField(decimal_places=2, max_digits=9, validators=[django.core.validators.MinValueValidator(Decimal('0.01'))])),
                ('created_at', models.DateTimeField(default=postpurchase.clock.now)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Account',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('joined_at', models.DateTimeField(default=postpurchase.clock.now)),
                ('usable', models.IntegerField(default=0)),
                ('pending', models.IntegerField(default=0)),
                ('link_version', models.PositiveIntegerField(default=1)),
                ('customer', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='loyalty_account', to='stores.customer')),
                ('store', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='loyalty_accounts', to='stores.store')),
            ],
        ),
        migrations.CreateModel(
            name='Award',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject', models.CharField(max_length=60)),
                ('target', models.PositiveIntegerField(default=0)),
                ('posted', models.IntegerField(default=0)),
                ('owed', models.PositiveIntegerField(default=0)),
                ('entries_count', models.PositiveIntegerField(default=0)),
                ('state', models.CharField(choices=[('pending', 'Pending'), ('usable', 'Usable')], default='pending', max_length=8)),
                ('usable_at', models.DateTimeField()),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='awards', to='loyalty.account')),
                ('order', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='awards', to='stores.order')),
                ('store', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='awards', to='stores.store')),
                ('rule', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='awards', to='loyalty.earnrule')),
            ],
        ),
        migrations.CreateModel(
            name='Entry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('earned', 'Earned'), ('taken_back', 'Taken back'), ('redeemed', 'Redeemed'), ('returned', 'Returned'), ('given', 'Given'), ('adjusted', 'Corrected by hand')], max_length=12)),
                ('points', models.IntegerField()),
                ('key', models.CharField(max_length=160)),
                ('reason', models.CharField(max_length=200)),
                ('note', models.CharField(blank=True, max_length=200)),
                ('at', models.DateTimeField(default=postpurchase.clock.now)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='loyalty.account')),
                ('award', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='loyalty.award')),
                ('by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL)),
                ('store', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='point_entries', to='stores.store')),
            ],
        ),
        migrations.CreateModel(
            name='Program',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80)),
                ('is_on', models.BooleanField(default=False)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('point_value', models.DecimalField(decimal_places=4, default=Decimal('0.05'), max_digits=9, validators=[django.core.validators.MinValueValidator(Decimal('0.0001'))])),
                ('pending_days', models.PositiveSmallIntegerField(default=14)),
                ('allow_negative', models.BooleanField(default=False)),
                ('store', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='program', to='stores.store')),
            ],
        ),
        migrations.AddField(
            model_name='earnrule',
            name='program',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='earn_rules', to='loyalty.program'),
        ),
        migrations.CreateModel(
            name='Reward',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80)),
                ('points', models.PositiveIntegerField(validators=[django.core.validators.MinValueValidator(1)])),
                ('amount', models.DecimalField(decimal_places=4, max_digits=15, validators=[django.core.validators.MinValueValidator(Decimal('0.01'))])),
                ('minimum', models.DecimalField(blank=True, decimal_places=4, max_digits=15, null=True)),
                ('valid_days', models.PositiveSmallIntegerField(default=90)),
                ('is_on', models.BooleanField(default=True)),
                ('program', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rewards', to='loyalty.program')),
            ],
            options={
                'ordering': ['points'],
            },
        ),
        migrations.CreateModel(
            name='Redemption',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('making', 'Being made'), ('ready', 'Ready'), ('used', 'Used'), ('returned', 'Points returned')], default='making', max_length=10)),
                ('key', models.CharField(max_length=80)),
                ('points', models.PositiveIntegerField()),
                ('reason', models.CharField(blank=True, max_length=300)),
                ('at', models.DateTimeField(default=postpurchase.clock.now)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='redemptions', to='loyalty.account')),
                ('coupon', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='redemption', to='stores.coupon')),
                ('store', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='redemptions', to='stores.store')),
                ('reward', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='redemptions', to='loyalty.reward')),
            ],
        ),
        migrations.AddIndex(
            model_name='account',
            index=models.Index(fields=['store', '-usable'], name='account_usable'),
        ),
        migrations.AddIndex(
            model_name='award',
            index=models.Index(condition=models.Q(('state', 'pending')), fields=['usable_at'], name='award_pending'),
        ),
        migrations.AddConstraint(
            model_name='award',
            constraint=models.UniqueConstraint(fields=('subject', 'rule'), name='award_once'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(fields=['account', '-at'], name='entry_account'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(fields=['store', '-at'], name='entry_recent'),
        ),
        migrations.AddConstraint(
            model_name='entry',
            constraint=models.UniqueConstraint(fields=('store', 'key'), name='entry_key'),
        ),
        migrations.AddConstraint(
            model_name='entry',
            constraint=models.CheckConstraint(condition=models.Q(('points', 0), _negated=True), name='entry_moves_something'),
        ),
        migrations.AddConstraint(
            model_name='earnrule',
            constraint=models.UniqueConstraint(fields=('program', 'kind', 'version'), name='earn_rule_version'),
        ),
        migrations.AddConstraint(
            model_name='earnrule',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('program', 'kind'), name='earn_rule_one_live'),
        ),
        migrations.AddIndex(
            model_name='redemption',
            index=models.Index(fields=['store', '-at'], name='redemption_recent'),
        ),
        migrations.AddConstraint(
            model_name='redemption',
            constraint=models.UniqueConstraint(fields=('store', 'key'), name='redemption_key'),
        ),
    ]
