"""Callables of known packages that open a connection or a file or load code again, told by their family.

A package's list is never whole, so a family decides: what the package is for, what the modules on the way are called,
the verb with which a function's name begins, the noun with which a class's name ends (`MlflowClient`, `DataReader`).
Only a call counts: an instance that NEWOBJ makes runs no constructor.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mithridate.supply.scan.pickle.values import Value

_PACKAGES = {
    "network": """
        mlflow wandb neptune comet_ml clearml aim dvclive kaggle kfp sagemaker huggingface_hub gdown gradio
        gradio_client openai anthropic cohere litellm ollama together replicate tritonclient qdrant_client weaviate
        pinecone chromadb pymilvus lancedb elasticsearch opensearchpy sqlalchemy peewee pony tortoise databases
        psycopg psycopg2 asyncpg pymysql MySQLdb mysql aiomysql pymongo motor redis aioredis cassandra
        clickhouse_driver clickhouse_connect snowflake duckdb databricks pyodbc cx_Oracle oracledb neo4j
        influxdb_client
        kafka confluent_kafka pika nats paho zmq requests_html selenium playwright scrapy mechanize
        smart_open wget pycurl
        kubernetes minio s3transfer adlfs dropbox github gitlab requests httpx aiohttp urllib3 """,
    "exec": """
        git pygit2 docker ansible salt prefect airflow luigi dagster skypilot submitit papermill jupyter
        pexpect wexpect ptyprocess winpty winpexpect delegator sarge pyautogui nmap pwn impacket winrm rpyc Pyro4 Pyro5
        execnet dispy xonsh frida r2pipe gdb lldb """,
    "native": """
        jnius jpype py4j javabridge clr clr_loader pythonnet System Microsoft win32api win32com win32process win32file
        win32con win32service win32event pythoncom pywintypes comtypes objc AppKit Foundation rubicon js pyodide jvm
        rpy2 oct2py matlab lupa julia juliacall py_mini_racer """,
}
_BY_PACKAGE = {package: capability for capability, words in _PACKAGES.items() for package in words.split()}
_PARTS = {
    "network": """
        http https client clients remote hub download downloads downloader network server servers serving cloud rpc grpc
        socket sockets ftp ssh url urls web fetch tracking s3 gcs azure aws kafka webhook """,
    "file": """
        io filesystem filesystems fs file_io files readers writers loaders db database databases sql sqlite cache
        savers checkpointing """,
    "exec": "shell cli subprocess process processes launcher launchers launch cluster executors workers commands",
}
_BY_PART = {part: capability for capability, words in _PARTS.items() for part in words.split()}
_ENDS = {
    "network": """
        Client Session Connection Connector Connect Downloader Server Socket Proxy Repository Api API Hub Tracker
        Fetcher Crawler Scraper Uploader Endpoint Webhook Request Tunnel Channel Broker Consumer Producer Publisher
        Subscriber """,
    "file": """
        Reader Writer Loader Saver Store File FileSystem Filesystem Archive Database Engine Cache Memory Dumper Importer
        Exporter Opener Logger Checkpointer Checkpoint Manager """,
    "exec": """
        Process Pool Executor Worker Launcher Runner Shell Command Interpreter Kernel Popen Subprocess Evaluator
        Compiler Script Ghostscript """,
    "load": "Unpickler Deserializer Deserialiser",
}
_BY_END = {end: capability for capability, words in _ENDS.items() for end in words.split()}
_VERBS = {
    "network": "connect fetch download request urlopen upload push pull post clone serve listen login",
    "file": "read open save write dump export scan to_csv to_pickle to_file from_file from_path unpack extract remove",
    "load": "load from_pretrained from_hub from_checkpoint restore unpickle deserialize deserialise loads",
    "exec": "eval exec execute run spawn popen system shell launch call compile invoke submit",
    "import": "import locate resolve",
}
_BY_VERB = {verb: capability for capability, words in _VERBS.items() for verb in words.split()}
_NAMED = re.compile(
    r"(?:Model|Tokenizer|Pipeline|Encoder|Embeddings?|Processor|Transformer|Predictor|Detector|Segmenter|Dataset|"
    r"Corpus|Retriever|Engine|Storage|Capture|Camera|Stream|Recorder|Agent|Tool)(?:Fast)?|[A-Z]{3,}\d*"
)
_RUNS = frozenset({"Spawn", "Spawner", "Exec", "Popen", "Shell", "Subprocess", "Terminal", "Console", "REPL", "Repl"})
"""Words that say it wherever they stand in the name of a class, as in `SpawnPipe` and `WinExec`."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]+")


def reach(module: str, name: str, arguments: Sequence[Value] = ()) -> str:
    """The capability of a callable's family; empty where its name says nothing.

    Examples
    --------
    >>> reach("mlflow", "MlflowClient"), reach("pandas", "read_clipboard"), reach("torch.nn", "Linear")
    ('network', 'file', '')
    """
    parts = module.split(".")
    owner, _, last = name.rpartition(".")
    found = _BY_PACKAGE.get(parts[0], "")
    if last.strip("_")[:1].isupper():
        words = _WORD.findall(last)
        found = found or ("exec" if _RUNS.intersection(words) else "")
        found = found or _BY_END.get("".join(words[-2:])) or _BY_END.get("".join(words[-1:]), "")
        is_text = any(isinstance(item, str) for item in arguments)
        if not found and is_text:
            found = _of_modules(parts[1:]) or ("network" if words and _NAMED.fullmatch(words[-1]) else "")
        return found
    return found or _verb(last) or _of_modules([*parts[1:], owner])


def is_known(module: str) -> bool:
    """Whether the package stands in the list of those that connect or run things.

    Examples
    --------
    >>> is_known("redis.client"), is_known("my_project.nets")
    (True, False)
    """
    return module.partition(".")[0] in _BY_PACKAGE


def _verb(name: str) -> str:
    """By the word with which a function's name begins, or all of it."""
    plain = name.strip("_")
    return _BY_VERB.get(plain, "") or _BY_VERB.get(plain.partition("_")[0], "")


def _of_modules(parts: Sequence[str]) -> str:
    return next((_BY_PART[part.strip("_")] for part in parts if part.strip("_") in _BY_PART), "")
