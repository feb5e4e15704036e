"""Kafka's own Java producer, for what only Java clients write: xerial's snappy, LZ4 and zstd that do not say their size."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from headrace.embedded.kafka import assemble, java_runtime
from tests.support.paths import CACHE

_SOURCE = """
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.serialization.StringSerializer;

public class Send {
    public static void main(String[] args) throws Exception {
        Properties options = new Properties();
        options.put("bootstrap.servers", args[0]);
        options.put("compression.type", args[2]);
        options.put("linger.ms", "200");
        options.put("batch.size", "500000");
        try (Producer<String, String> producer =
                new KafkaProducer<>(options, new StringSerializer(), new StringSerializer());
             BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            for (String line; (line = in.readLine()) != null; ) {
                int tab = line.indexOf('\\t');
                producer.send(new ProducerRecord<>(args[1], line.substring(0, tab), line.substring(tab + 1)),
                    (done, error) -> { if (error != null) { error.printStackTrace(); System.exit(1); } });
            }
        }
    }
}
"""


def send(folder: Path, bootstrap: str, topic: str, codec: str, records: Iterable[tuple[str, str]]) -> None:
    """Send (key, value) records with a Java client, compressed; a JDK runs the source file as it is."""
    (folder / "Send.java").write_text(_SOURCE)
    command = [java_runtime(), "-Xmx256m", "-cp", f"{assemble(CACHE)}/*", str(folder / "Send.java"), bootstrap, topic, codec]
    lines = "".join(f"{key}\t{value}\n" for key, value in records)
    done = subprocess.run(command, input=lines.encode(), capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
