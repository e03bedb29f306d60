"""The commands that do what an operation does; None where the command line has none.

A test holds the table to the operations of the document, and the commands to their options.
"""

from __future__ import annotations

from collections.abc import Mapping

from webhook.http.openapi.example_resources import (
    CALLBACK_ID,
    CARRIER_ID,
    ENTERPRISE_ID,
    JOB_ID,
    MESSAGE_ID,
    NUMBER,
    OTHER_NUMBER,
    PROFILE_ID,
    TOKEN_ID,
    USER_ID,
    WEBHOOK_ID,
)

_NUMBERS = f"{NUMBER} {OTHER_NUMBER}"

COMMANDS: Mapping[str, str | None] = {
    "create_upload": "numberyard upload numbers.csv --review --on-existing update --mapping mapping.json",
    "get_template_csv": None,
    "get_template_xlsx": None,
    "list_import_profiles": "numberyard profiles list",
    "create_import_profile": 'numberyard profiles add "Billing export" --delimiter semicolon \\\n'
    '  --column "Phone Number=TN" --constant "Country Code=US" \\\n'
    "  --header TN --header Voice --header SMS",
    "get_import_profile": f"numberyard profiles show {PROFILE_ID}",
    "update_import_profile": f'numberyard profiles rename {PROFILE_ID} "Billing export 2027"',
    "delete_import_profile": f"numberyard profiles remove {PROFILE_ID}",
    "create_assignment": f"numberyard assign {_NUMBERS} \\\n  --to {ENTERPRISE_ID}",
    "create_unassignment": f"numberyard unassign {_NUMBERS}",
    "create_capability_change": f'numberyard change {_NUMBERS} \\\n  --sms on --sms-carrier-profile "Harbour SMS"',
    "create_deletion": f"numberyard delete {_NUMBERS} --yes",
    "list_jobs": "numberyard jobs --limit 20",
    "get_job": f"numberyard jobs {JOB_ID} --watch",
    "confirm_job": f"numberyard confirm {JOB_ID}",
    "cancel_job": f"numberyard cancel {JOB_ID}",
    "undo_job": f"numberyard undo {JOB_ID}",
    "recheck_job": f"numberyard recheck {JOB_ID} --mapping mapping.json",
    "retry_job": f"numberyard retry {JOB_ID}",
    "list_job_corrections": None,
    "correct_job": f"numberyard correct {JOB_ID} corrections.json",
    "preview_job_correction": f"numberyard correct {JOB_ID} corrections.json --preview",
    "take_back_job_correction": None,
    "list_job_rows": None,
    "get_job_report_csv": f"numberyard report {JOB_ID} --rows failed --out report.csv",
    "get_job_report_jsonl": f"numberyard report {JOB_ID} --out report.jsonl",
    "get_job_report_xlsx": f"numberyard report {JOB_ID} --out report.xlsx",
    "get_job_file": None,
    "list_numbers": "numberyard numbers --country US --status unassigned",
    "get_number": f"numberyard numbers {NUMBER}",
    "get_numbers_csv": "numberyard export --country US --status unassigned --out numbers.csv",
    "get_numbers_jsonl": "numberyard export --country US --status unassigned --out numbers.jsonl",
    "get_holdings_csv": None,
    "create_export": "numberyard export --country US --status unassigned --out numbers.xlsx",
    "list_quotas": None,
    "list_changes": "numberyard changes --limit 100 --json",
    "list_tenants": "numberyard tenants list",
    "create_tenant": 'numberyard tenants add "Lakeside Clinic" --kind enterprise --billing-reference AC-4711',
    "get_tenant": f"numberyard tenants show {ENTERPRISE_ID}",
    "update_tenant": f"numberyard tenants set {ENTERPRISE_ID} \\\n"
    '  --name "Lakeside Clinics" --voice-carrier "Harbour Voice"',
    "delete_tenant": f"numberyard tenants remove {ENTERPRISE_ID}",
    "list_users": "numberyard users list",
    "create_user": f'numberyard users add "Ada Moreno" --enterprise {ENTERPRISE_ID} \\\n'
    "  --email ada@lakeside.example --kind pbx",
    "get_user": f"numberyard users show {USER_ID}",
    "update_user": f'numberyard users set {USER_ID} \\\n  --name "Ada Moreno-Lind" --email ada.moreno@lakeside.example',
    "delete_user": f"numberyard users remove {USER_ID}",
    "list_carriers": "numberyard carriers list",
    "create_carrier": 'numberyard carriers add "Harbour Voice West" --service voice',
    "get_carrier": None,
    "update_carrier": None,
    "delete_carrier": f"numberyard carriers remove {CARRIER_ID}",
    "list_tokens": "numberyard tokens list",
    "create_token": 'numberyard tokens add "Nightly import" --role operator \\\n'
    "  --scope jobs:read --scope uploads:write --network 198.51.100.0/24 --expires 2030-12-31",
    "get_token": None,
    "revoke_token": f"numberyard tokens revoke {TOKEN_ID}",
    "list_callbacks": "numberyard callbacks list --state failed",
    "get_callback": f"numberyard callbacks show {CALLBACK_ID}",
    "replay_callback": f"numberyard callbacks replay {CALLBACK_ID}",
    "get_callback_secret": "numberyard callbacks secret",
    "rotate_callback_secret": "numberyard callbacks rotate",
    "list_webhooks": "numberyard webhooks list",
    "create_webhook": "numberyard webhooks add https://example.com/hooks --event 'job.*' --event 'number.*'",
    "get_webhook": f"numberyard webhooks show {WEBHOOK_ID}",
    "update_webhook": f"numberyard webhooks update {WEBHOOK_ID} --event 'job.*' --on",
    "delete_webhook": f"numberyard webhooks delete {WEBHOOK_ID}",
    "list_webhook_messages": f"numberyard webhooks messages {WEBHOOK_ID} --state failed",
    "get_webhook_message": f"numberyard webhooks messages {WEBHOOK_ID} \\\n  {MESSAGE_ID}",
    "replay_webhook_message": f"numberyard webhooks replay {WEBHOOK_ID} \\\n  {MESSAGE_ID}",
    "rotate_webhook_secret": f"numberyard webhooks rotate {WEBHOOK_ID}",
    "test_webhook": f"numberyard webhooks test {WEBHOOK_ID}",
    "get_liveness": None,
    "get_readiness": None,
    "get_metrics": None,
}
