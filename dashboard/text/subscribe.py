"""Programs and commands that subscribe to a topic with the current settings; they never contain a password."""

from __future__ import annotations

import json

from stream_app.names import REPAIRS, SOURCE, WARNINGS
from stream_app.settings import Settings


def kafka_python(settings: Settings, topic: str) -> str:
    """Return a program for kafka-python."""
    options = {"bootstrap_servers": settings.kafka, "group_id": "my-service", "auto_offset_reset": "earliest"}
    if settings.exactly_once:
        # By default this client also returns records of aborted transactions; librdkafka does not.
        options["isolation_level"] = "read_committed"
    if settings.kafka_security_protocol != "PLAINTEXT":
        options["security_protocol"] = settings.kafka_security_protocol
    written = [f"    {name}={json.dumps(value)}," for name, value in options.items()]
    if settings.kafka_security_protocol.startswith("SASL"):
        written += [
            f"    sasl_mechanism={json.dumps(settings.kafka_sasl_mechanism)},",
            '    sasl_plain_username=os.environ["KAFKA_USERNAME"],',
            '    sasl_plain_password=os.environ["KAFKA_PASSWORD"],',
        ]
    return "\n".join(
        [
            "import json",
            *(["import os"] if settings.kafka_security_protocol.startswith("SASL") else []),
            "",
            "from kafka import KafkaConsumer",
            "",
            "consumer = KafkaConsumer(",
            f"    {json.dumps(topic)},",
            *written,
            ")",
            "for message in consumer:",
            "    record = json.loads(message.value)",
            "    headers = dict(message.headers)",
            f'    print(headers["{SOURCE}"].decode(), record)',
            f'    # "{REPAIRS}" and "{WARNINGS}" are JSON lists of repairs and warnings',
        ]
    )


def confluent(settings: Settings, topic: str) -> str:
    """Return a program for confluent-kafka."""
    options = {"bootstrap.servers": settings.kafka, "group.id": "my-service", "auto.offset.reset": "earliest"}
    if settings.kafka_security_protocol != "PLAINTEXT":
        options["security.protocol"] = settings.kafka_security_protocol
    written = [f"    {json.dumps(name)}: {json.dumps(value)}," for name, value in options.items()]
    if settings.kafka_security_protocol.startswith("SASL"):
        written += [
            f'    "sasl.mechanism": {json.dumps(settings.kafka_sasl_mechanism)},',
            '    "sasl.username": os.environ["KAFKA_USERNAME"],',
            '    "sasl.password": os.environ["KAFKA_PASSWORD"],',
        ]
    return "\n".join(
        [
            "import json",
            *(["import os"] if settings.kafka_security_protocol.startswith("SASL") else []),
            "",
            "from confluent_kafka import Consumer",
            "",
            "consumer = Consumer({",
            *written,
            "})",
            f"consumer.subscribe([{json.dumps(topic)}])",
            "while True:",
            "    message = consumer.poll(1.0)",
            "    if message is None or message.error():",
            "        continue",
            "    print(json.loads(message.value()))",
        ]
    )


def command_line(settings: Settings, topic: str) -> str:
    """Return commands for a terminal, with the tools that come with Headrace or Kafka."""
    server = settings.kafka.split(",")[0]
    committed = " --isolation-level read_committed" if settings.exactly_once else ""
    lines = [
        "# with Headrace's Python",
        f"python -m kafka.consumer -b {server} -t {topic} -C auto_offset_reset=earliest"
        + (" -C isolation_level=read_committed" if committed else ""),
        "# with Apache Kafka",
        f"kafka-console-consumer.sh --bootstrap-server {server} --topic {topic} --from-beginning --property print.headers=true"
        + committed,
        "# with kcat",
        f"kcat -b {server} -t {topic} -C -o beginning -f '%h\\n%s\\n'",
    ]
    if settings.kafka_security_protocol != "PLAINTEXT":
        lines.insert(0, f"# add the {settings.kafka_security_protocol} settings of this cluster")
    return "\n".join(lines)
