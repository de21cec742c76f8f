"""Secrets as projects leak them, each beside a twin that leaks nothing: `(path, leaking, harmless)`."""

# ruff: noqa: E501, Q000 - tables of planted text: one spelling a line

from __future__ import annotations

import json

_NPM = "npmjs.org"  # no file spells out a registry's address


def _cells(*sources: str) -> str:
    cells = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": source.splitlines(keepends=True)} for source in sources]  # fmt: skip
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)


def _output(text: str) -> str:
    cell = {"cell_type": "code", "metadata": {}, "source": "!env", "outputs": [{"output_type": "stream", "name": "stdout", "text": [text]}]}  # fmt: skip
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


SECRETS = (
    # tokens of an issuer's form
    ("src/hub.py", 'from huggingface_hub import login\nlogin(token="<hf>")\n', 'import os\nfrom huggingface_hub import login\nlogin(token=os.environ["HF_TOKEN"])\n'),
    ("src/push.py", "HEADERS = {'Authorization': 'token <github>'}\n", "HEADERS = {'Authorization': f'token {TOKEN}'}\n"),
    ("scripts/clone.sh", "git clone https://<github-fine>@github.com/acme/data.git\n", 'git clone "https://${GH_TOKEN}@github.com/acme/data.git"\n'),
    (".gitlab-ci.yml", "variables:\n  CI_PUSH: <gitlab>\n", "variables:\n  CI_PUSH: $CI_JOB_TOKEN\n"),
    ("app/llm.py", 'import openai\nopenai.api_key = "<openai>"\n', 'import openai\nopenai.api_key = "YOUR_KEY_HERE"\n'),
    (".env", "OPENAI_API_KEY=<openai-old>\n", "OPENAI_API_KEY=sk-your-key-here\n"),
    ("app/claude.py", 'client = Anthropic(api_key="<anthropic>")\n', 'client = Anthropic(api_key="sk-ant-api03-...")\n'),
    ("config/aws.ini", "[default]\naws_access_key_id = <aws>\naws_secret_access_key = <aws-secret>\n", "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n"),
    ("src/s3.py", 'import boto3\ns3 = boto3.client("s3", aws_secret_access_key="<aws-secret>")\n', 'import boto3\ns3 = boto3.client("s3", aws_secret_access_key=secret)\n'),
    ("web/map.js", 'const key = "<google>";\n', 'const key = process.env.MAPS_KEY;\n'),
    ("alerts.py", 'slack = WebClient(token="<slack>")\n', 'slack = WebClient(token=os.getenv("SLACK_TOKEN"))\n'),
    ("alerts.yaml", "webhook: <slack-hook>\n", "webhook: https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX\n"),
    ("notify.py", 'URL = "<discord-hook>"\n', 'URL = os.environ["DISCORD_HOOK"]\n'),
    ("billing/settings.py", "STRIPE = '<stripe>'\n", "STRIPE = 'sk_test_placeholder'\n"),
    (".npmrc", f"//registry.{_NPM}/:_authToken=<npm>\n", f"//registry.{_NPM}/:_authToken=${{NPM_TOKEN}}\n"),
    (".pypirc", "[pypi]\nusername = __token__\npassword = <pypi>\n", "[pypi]\nusername = __token__\n"),
    ("train.py", 'import wandb\nwandb.login(key="<wandb>")\n', 'import wandb\nwandb.login()\nwandb.init(id="<hex32>")\n'),
    ("train.sh", "export WANDB_API_KEY=<wandb>\npython train.py\n", "export WANDB_RUN_ID=<hex32>\nexport WANDB_API_KEY=$(cat /run/secrets/wandb)\n"),
    ("src/rep.py", 'os.environ["REPLICATE_API_TOKEN"] = "<replicate>"\n', 'os.environ["REPLICATE_API_TOKEN"] = getpass()\n'),
    ("mail.toml", '[mail]\nkey = "<sendgrid>"\n', '[mail]\nkey = "SG.xxxxxxxx"\n'),
    ("deploy/do.tf", 'provider "digitalocean" {\n  token = "<digitalocean>"\n}\n', 'provider "digitalocean" {\n  token = var.do_token\n}\n'),
    ("config.json", '{"storage": "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=<azure>;EndpointSuffix=core.windows.net"}\n', '{"storage": "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=${KEY};EndpointSuffix=core.windows.net"}\n'),
    ("chat.py", 'client = Groq(api_key="<groq>")\n', 'client = Groq(api_key=settings.groq)\n'),
    (".databrickscfg", "[DEFAULT]\nhost = https://acme.cloud.databricks.com\ntoken = <databricks>\n", "[DEFAULT]\nhost = https://acme.cloud.databricks.com\nauth_type = databricks-cli\n"),
    ("nim.sh", "export NGC=<nvidia>\n", "export NGC=$NGC_KEY\n"),
    ("router.py", 'KEY = "<openrouter>"\n', 'KEY = os.getenv("OPENROUTER")  # sk-or-v1-...\n'),
    ("rag.py", 'pc = Pinecone("<pinecone>")\n', 'pc = Pinecone("pcsk_...")\n'),
    (".env.local", "LANGCHAIN=<langsmith>\n", "LANGCHAIN_PROJECT=<uuid>\n"),
    ("trace.py", 'langfuse = Langfuse(public="pk-lf-1", secret="<langfuse>")\n', 'langfuse = Langfuse(run="<uuid>")\n'),
    ("pplx.py", 'headers = {"Authorization": "Bearer <perplexity>"}\n', 'headers = {"Authorization": f"Bearer {key}"}\n'),
    ("grok.yaml", "llm:\n  key: <xai>\n", "llm:\n  key: ${XAI}\n"),
    ("deepseek.py", 'client = OpenAI(api_key="<deepseek>", base_url="https://api.deepseek.com")\n', 'client = OpenAI(api_key="EMPTY", base_url="http://localhost:8000/v1")\n'),
    ("bot.py", 'bot = telebot.TeleBot("<telegram>")\n', 'bot = telebot.TeleBot(sys.argv[1])\n'),
    ("vault.sh", "export VAULT_TOKEN=<vault>\n", "export VAULT_ADDR=https://vault.acme.dev\n"),
    ("setup/vpn.sh", "tailscale up --authkey <tailscale>\n", 'tailscale up --authkey "$TS_KEY"\n'),
    ("newrelic.ini", "license = <newrelic>\n", "license = ${NR}\n"),
    ("grafana.yaml", "auth: <grafana>\n", "auth: basic\n"),
    ("shop.py", 'SHOP = "<shopify>"\n', 'SHOP = "shpat_" + suffix\n'),
    ("sms.py", 'client = Client("<twilio>", secret)\n', 'client = Client(sid, secret)\n'),
    ("jira.py", 'auth = ("me@acme.dev", "<atlassian>")\n', 'auth = ("me@acme.dev", token)\n'),
    ("lin.ts", 'const linear = new LinearClient({ apiKey: "<linear>" });\n', "const linear = new LinearClient({ apiKey: process.env.LINEAR });\n"),
    ("notion.py", 'notion = Client(auth="<notion>")\n', 'notion = Client(auth=os.environ["NOTION"])\n'),
    ("tools.py", 'search = TavilyClient("<tavily>")\n', 'search = TavilyClient("tvly-YOUR_API_KEY")\n'),
    ("ci/login.sh", "echo <docker> | docker login -u acme --password-stdin\n", 'echo "$DOCKER_PAT" | docker login -u acme --password-stdin\n'),
    ("sops.txt", "# created: 2024\n<age>\n", "# public key: age1qqqq\n"),
    ("api.postman.json", '{"key": "<postman>"}\n', '{"_postman_id": "<uuid>"}\n'),
    ("supabase.py", 'db = create_client(url, "<jwt>")\n', 'db = create_client(url, key)\n'),
    # values by their name
    ("db.py", 'PASSWORD = "<password>"\n', 'PASSWORD = os.environ["DB_PASSWORD"]\n'),
    ("settings.py", 'SECRET_KEY = "django-insecure-<alnum>"\n', 'SECRET_KEY = env("SECRET_KEY")\n'),
    ("app.py", 'app.config["SECRET_KEY"] = "<lower>"\n', 'app.config["SECRET_KEY"] = secrets.token_hex(32)\n'),
    ("conn.py", 'conn = psycopg2.connect(host="db", user="ml", password="<password>")\n', 'conn = psycopg2.connect(host="db", user="ml", password=password)\n'),
    ("engine.py", 'engine = create_engine("postgresql://ml:<password>@db.acme.dev:5432/feats")\n', 'engine = create_engine("postgresql://user:password@localhost:5432/db")\n'),
    (".env.production", "MONGO_URL=mongodb+srv://ml:<password>@cluster0.ab1cd.mongodb.net/feats\n", "MONGO_URL=mongodb://localhost:27017/feats\n"),
    ("celery.yaml", "broker: redis://:<password>@cache.acme.dev:6379/0\n", "broker: redis://cache.acme.dev:6379/0\n"),
    ("fetch.sh", "curl -u ml:<password> https://data.acme.dev/train.csv -o train.csv\n", 'curl -u "ml:$PASSWORD" https://data.acme.dev/train.csv -o train.csv\n'),
    ("get.sh", 'curl -H "Authorization: Bearer <alnum>" https://api.acme.dev/v1/rows\n', 'curl -H "Authorization: Bearer $TOKEN" https://api.acme.dev/v1/rows\n'),
    ("pull.sh", "wget https://ml:<password>@data.acme.dev/train.tar\n", "wget https://data.acme.dev/train.tar#sha256=<sha256>\n"),
    ("pip.conf", "[global]\nindex-url = https://ml:<password>@pypi.acme.dev/simple\n", "[global]\nindex-url = https://pypi.acme.dev/simple\n"),
    ("docker-compose.yml", "services:\n  db:\n    image: postgres:16\n    environment:\n      POSTGRES_PASSWORD: <password>\n", "services:\n  db:\n    image: postgres:16\n    environment:\n      POSTGRES_PASSWORD_FILE: /run/secrets/db\n"),
    ("compose.yaml", "services:\n  db:\n    image: mysql:8\n    environment:\n      - MYSQL_ROOT_PASSWORD=<password>\n", "services:\n  db:\n    image: mysql:8\n    environment:\n      - MYSQL_ROOT_PASSWORD=${MYSQL_ROOT_PASSWORD:?}\n"),
    ("Dockerfile", "FROM python:3.12\nENV API_KEY=<alnum>\n", "FROM python:3.12\nARG API_KEY\nENV PYTHONHASHSEED=0\n"),
    ("k8s/secret.yaml", "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\nstringData:\n  password: <password>\n", "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - env:\n    - name: PASSWORD\n      valueFrom: {secretKeyRef: {name: db-v2, key: password}}\n"),
    ("k8s/opaque.yaml", "apiVersion: v1\nkind: Secret\ntype: Opaque\nmetadata:\n  name: api\ndata:\n  token: <basic>\n", "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: api\nspec:\n  encryptedData:\n    token: <b64>\n"),
    ("chart/values.yaml", "auth:\n  adminPassword: <password>\n", 'auth:\n  adminPassword: ""\n  existingSecret: release-auth-2\n'),
    (".github/workflows/train.yml", "jobs:\n  train:\n    env:\n      DB_PASSWORD: <password>\n", "jobs:\n  train:\n    env:\n      DB_PASSWORD: ${{ secrets.DB_PASSWORD }}\n"),
    ("main.tf", 'resource "aws_db_instance" "x" {\n  password = "<password>"\n}\n', 'resource "aws_db_instance" "x" {\n  password = random_password.db.result\n}\n'),
    (".docker/config.json", '{"auths": {"https://index.docker.io/v1/": {"auth": "<basic>"}}}\n', '{"credHelpers": {"gcr.io": "gcloud"}}\n'),
    (".netrc", "machine data.acme.dev login ml password <password>\n", "# machine data.acme.dev: see the vault\n"),
    ("kaggle.json", '{"username":"acme","key":"<hex32>"}\n', '{"kernel_id": "<hex32>"}\n'),
    ("service-account.json", '{"type": "service_account", "private_key_id": "<hex40>", "private_key": "<pem-line>\\n"}\n', '{"type": "external_account", "audience": "//iam.googleapis.com/pools/x"}\n'),
    ("src/sign.py", 'KEY = """<pem>"""\n', 'KEY = Path(args.key).read_text()  # -----BEGIN PRIVATE KEY-----\n'),
    ("deploy_rsa.txt", "<pem-rsa>\n", "-----BEGIN PUBLIC KEY-----\n<b64>\n-----END PUBLIC KEY-----\n"),
    ("ansible/vars.yml", "ssh_key: |\n  <pem-ssh>\n", "ssh_key_path: ~/.ssh/id_ed25519\n"),
    ("conf/app.properties", "spring.datasource.password=<password>\n", "spring.datasource.password=${DB_PASSWORD}\n"),
    ("pyproject.toml", '[tool.feast]\nregistry_password = "<password>"\n', '[tool.poetry.dependencies]\nsecretstorage = "3.3.3"\n'),
    ("config.toml", '[azure]\nclient_secret = "<alnum>"\n', '[azure]\nclient_id = "<uuid>"\ntenant_id = "<uuid>"\n'),
    ("appsettings.json", '{"ApiKey": "<lower>"}\n', '{"ApiVersion": "2024-05-01", "RunId": "<uuid>"}\n'),
    ("job.py", 'client = QdrantClient(url, api_key="<alnum>")\n', 'client = QdrantClient(url, api_key=None)\n'),
    ("co.py", 'co = cohere.Client(api_key = "<alnum>")\n', 'co = cohere.Client(api_key = args.api_key)\n'),
    ("kw.py", 'kw = {"api_key": "<alnum>", "timeout": 30}\n', 'kw = {"api_key_env": "ACME_API_KEY_2", "timeout": 30}\n'),
    ("cls.py", "class Config:\n    auth_token: str = '<hex40>'\n", "class Config:\n    auth_token: str = ''\n    revision: str = '<hex40>'\n"),
    ("default.py", 'def get(url, token="<alnum>"):\n    return url\n', 'def get(url, token="[MASK]"):\n    return url\n'),
    ("env.py", 'TOKEN = os.getenv("API_TOKEN", "<alnum>")\n', 'TOKEN = os.getenv("API_TOKEN", "")\n'),
    ("set.py", 'os.environ["COHERE_API_KEY"] = "<alnum>"\n', 'os.environ["COHERE_API_KEY"] = input("key: ")\n'),
    ("nb/login.ipynb", _cells('from huggingface_hub import login\nlogin("<hf>")'), _cells("from huggingface_hub import notebook_login\nnotebook_login()")),
    ("nb/env.ipynb", _cells('%env OPENAI_API_KEY=<openai>'), _cells("%env CUDA_VISIBLE_DEVICES=0")),
    ("nb/db.ipynb", _cells('password = "<password>"'), _cells('from getpass import getpass\npassword = getpass("password")')),
    ("nb/out.ipynb", _output("GITHUB_TOKEN=<github>\n"), _output("run <uuid> commit <hex40> image <b64k>\n")),
    ("run.R", 'Sys.setenv(API_KEY = "<alnum>")\n', 'key <- Sys.getenv("API_KEY")\n'),
    ("train.jl", 'ENV["API_KEY"] = "<alnum>"\n', 'key = ENV["API_KEY"]\n'),
    (".streamlit/secrets.toml", 'db_password = "<password>"\n', "# none here\n"),
    ("mlflow.env", "MLFLOW_TRACKING_PASSWORD=<password>\n", "MLFLOW_TRACKING_USERNAME=ml2024user\n"),
    ("supervisor.conf", '[program:x]\nenvironment=API_KEY="<alnum>"\n', "[program:x]\nenvironment=MODE=prod2\n"),
    ("unit/x.service", "[Service]\nEnvironment=API_KEY=<alnum>\n", "[Service]\nEnvironmentFile=/etc/x.env\n"),
    ("run.bat", "set API_KEY=<alnum>\n", "set API_KEY=%1\n"),
    ("go/main.go", 'const apiKey = "<alnum>"\n', 'apiKey := os.Getenv("API_KEY")\n'),
    ("src/App.tsx", 'const client = new Client({ apiKey: "<alnum>" });\n', "const client = new Client({ apiKey: import.meta.env.KEY });\n"),
    ("README.md", "Run `export HF_TOKEN=<hf>` first.\n", "Run `export HF_TOKEN=hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx` first.\n"),
    ("logs/run.log", "2024-05-01 INFO token=<github>\n", "2024-05-01 INFO run=<uuid> sha=<hex40>\n"),
    ("data/prompts.jsonl", '{"text": "use <anthropic>"}\n', '{"text": "use the key", "id": "<uuid>"}\n'),
    ("data/rows.csv", "user,key\nann,<github>\n", "user,hash\nann,<sha256>\n"),
    # twins that people take for secrets
    ("tok.py", 'AWS = "<aws>"\n', 'eos_token = "<|endoftext|>"\npad_token_id = 50256\nnum_tokens = 4096\n'),
    ("hash.py", 'GITHUB = "<github>"\n', 'SHA = "<sha256>"\nCOMMIT = "<hex40>"\nMD5 = "<hex32>"\n'),
    ("tests/test_auth.py", 'TOKEN = "<gitlab>"\n', 'def test_auth():\n    assert login(api_key="abc123def456ghi789", password="Passw0rd123")\n'),
    ("form.html", "<script>var k='<google>'</script>\n", '<input type="password" name="password2" id="password_2">\n'),
    ("keys.py", 'api_key = "<hex64>"\n', 'api_key_header = "X-API-Key-V2"\nsecret_name = "prod/db/password1"\ntoken_url = "/v1/token2"\n'),
    ("lock.json", '{"token": "<github>"}\n', f'{{"integrity": "sha512-<b64k>", "resolved": "https://registry.{_NPM}/a/-/a-1.0.0.tgz"}}\n'),
    (".env.example", "HF_TOKEN=<hf>\n", "HF_TOKEN=hf_your_token_here\nDB_PASSWORD=changeme123\nSECRET_KEY=replace-me-with-32-bytes\n"),
)  # fmt: skip
