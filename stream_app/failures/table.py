"""The table of failures: errors by service, their kind, meaning and cure.

``scripts/retries_table.py`` prints it as docs/reference/retries.md.
"""

from __future__ import annotations

from stream_app.failures.model import Failure, Kind, Scope

KAFKA, REDIS, SOURCE, MODEL, NOTIFICATION = "Kafka", "Redis", "HTTP source", "Model", "Notification"
_PASSING, _PERMANENT, _RECORD = Kind.PASSING, Kind.PERMANENT, Kind.RECORD


def _kafka(kind: Kind, meaning: str, advice: str, errors: str, scope: Scope = Scope.PROCESS) -> Failure:
    """Return a row of Kafka. ``errors`` are without "Error", which one client library appends and the other does not."""
    return Failure(KAFKA, kind, meaning, advice, tuple(errors.split()), scope)


def _redis(kind: Kind, meaning: str, advice: str, errors: str, *phrases: str) -> Failure:
    return Failure(REDIS, kind, meaning, advice, tuple(errors.split()), phrases=phrases)


def _http(service: str, kind: Kind, meaning: str, advice: str, errors: str) -> Failure:
    return Failure(service, kind, meaning, advice, tuple(errors.split()), Scope.CALL)


#: Every error that Headrace knows. An error of no row is passing.
FAILURES: tuple[Failure, ...] = (
    # --- Kafka: aiokafka (worker) and kafka-python (producers, commands, reporter, dashboard) -----------------------------
    _kafka(
        _PASSING,
        "no broker answers",
        "start Kafka, or set HEADRACE_KAFKA to its address",
        "KafkaConnection NodeNotReady NoBrokersAvailable KafkaUnavailable BrokerNotAvailable MetadataEmptyBrokerList "
        "StaleMetadata NetworkException Cancelled TooManyInFlightRequests ProducerClosed Connection OS gaierror",
    ),
    _kafka(
        _PASSING,
        "a broker does not answer in time",
        "check its load, its disk and the network",
        "RequestTimedOut KafkaTimeout Timeout CorrelationId",
    ),
    _kafka(
        _PASSING,
        "a partition or a group moves to another broker",
        "wait; if it lasts, see the brokers' logs",
        "LeaderNotAvailable NotLeaderForPartition ReplicaNotAvailable NotController CoordinatorNotAvailable "
        "GroupCoordinatorNotAvailable CoordinatorLoadInProgress GroupLoadInProgress NotCoordinator NotCoordinatorForGroup "
        "FencedLeaderEpoch UnknownLeaderEpoch EligibleLeadersNotAvailable OffsetNotAvailable UnstableOffsetCommit "
        "FetchSessionIdNotFound InvalidFetchSessionEpoch KafkaStorage",
    ),
    _kafka(
        _PASSING,
        "fewer replicas are in sync than min.insync.replicas",
        "start the brokers that are down",
        "NotEnoughReplicas NotEnoughReplicasAfterAppend",
    ),
    _kafka(
        _PASSING,
        "a topic does not exist: it is being created, or was deleted",
        "if it lasts, create the topic; a worker creates missing topics when it starts",
        "UnknownTopicOrPartition UnknownTopicId InconsistentTopicId",
    ),
    _kafka(
        _PASSING,
        "the user's quota is used up",
        "raise the quota",
        "ThrottlingQuotaExceeded QuotaViolation",
    ),
    _kafka(
        _PASSING,
        "the consumer group shares its partitions anew",
        "wait; if it lasts, raise HEADRACE_SESSION_TIMEOUT",
        "RebalanceInProgress UnknownMemberId IllegalGeneration MemberIdRequired CommitFailed FencedInstanceId",
    ),
    _kafka(
        _PASSING,
        "the broker has lost track of a producer's records",
        "wait: the producer is replaced",
        "OutOfOrderSequenceNumber UnknownProducerId InvalidProducerEpoch InvalidProducerIdMapping DuplicateSequenceNumber",
    ),
    _kafka(
        _PASSING,
        "another worker took over the partition, or a transaction was aborted",
        "wait; give each shop a HEADRACE_GROUP of its own",
        "ProducerFenced ConcurrentTransactions InvalidTxnState TransactionCoordinatorFenced TransactionAborted "
        "TransactionAbortable",
    ),
    _kafka(
        _PERMANENT,
        "Kafka refuses the user, the password or the SASL mechanism",
        "correct HEADRACE_KAFKA_USERNAME, HEADRACE_KAFKA_PASSWORD or HEADRACE_KAFKA_SASL_MECHANISM",
        "AuthenticationFailed SaslAuthenticationFailed UnsupportedSaslMechanism IllegalSaslState "
        "AuthenticationMethodNotSupported SecurityDisabled DelegationTokenAuthDisabled DelegationTokenExpired "
        "DelegationTokenNotFound",
    ),
    _kafka(
        _PERMANENT,
        "the broker's certificate cannot be verified",
        "name its CA in HEADRACE_KAFKA_CA_FILE, and use the certificate's host name in HEADRACE_KAFKA",
        "SSLCertVerification Certificate",
    ),
    _kafka(
        _PERMANENT,
        "the broker does not speak TLS on this port",
        "correct HEADRACE_KAFKA_SECURITY_PROTOCOL, or name the port with TLS in HEADRACE_KAFKA",
        "WRONG_VERSION_NUMBER",
    ),
    _kafka(
        _PERMANENT,
        "the user has no right on a topic",
        "grant READ on all topics of the entity and `anomalies`, and WRITE on clean, dead-letter and pending topics, "
        "`anomalies` and `reports`",
        "TopicAuthorizationFailed",
        Scope.ENTITY,
    ),
    _kafka(
        _PERMANENT,
        "the user may not use a transactional id",
        "grant WRITE and DESCRIBE on transactional ids that begin with HEADRACE_GROUP, or unset HEADRACE_EXACTLY_ONCE",
        "TransactionalIdAuthorizationFailed",
        Scope.ENTITY,
    ),
    _kafka(
        _PERMANENT,
        "the user may not use the consumer group",
        "grant READ and DESCRIBE on groups that begin with HEADRACE_GROUP",
        "GroupAuthorizationFailed",
    ),
    _kafka(
        _PERMANENT,
        "the user lacks a right on the cluster",
        "grant WRITE on the topics; before Kafka 3.0 also IDEMPOTENT_WRITE on the cluster",
        "ClusterAuthorizationFailed DelegationTokenAuthorizationFailed Authorization",
    ),
    _kafka(
        _PERMANENT,
        "the broker does not support a feature",
        "use a newer broker, and remove an old log.message.format.version from its topics",
        "UnsupportedVersion IncompatibleBrokerVersion UnrecognizedBrokerVersion UnsupportedForMessageFormat "
        "UnsupportedCompressionType UnsupportedAssignor",
    ),
    _kafka(
        _PERMANENT,
        "the session timeout is outside of the broker's limits",
        "set HEADRACE_SESSION_TIMEOUT between group.min.session.timeout.ms and group.max.session.timeout.ms",
        "InvalidSessionTimeout",
    ),
    _kafka(
        _PERMANENT,
        "the consumer group takes no further member: another program uses it, or it is full",
        "set HEADRACE_GROUP to a group of Headrace's own",
        "InconsistentGroupProtocol InvalidGroupId GroupMaxSizeReached",
    ),
    _kafka(
        _PERMANENT,
        "the list of the ids of raw topics that were created again is longer than the broker keeps beside an offset",
        "raise offset.metadata.max.bytes on the brokers: 4,096, the default, are enough for 100 of them",
        "OffsetMetadataTooLarge",
    ),
    _kafka(
        _PERMANENT,
        "the broker's transaction.max.timeout.ms is less than 20 seconds",
        "raise it, or unset HEADRACE_EXACTLY_ONCE",
        "InvalidTransactionTimeout",
    ),
    _kafka(
        _PERMANENT,
        "a topic's name or configuration, or a policy of the broker, does not allow this",
        "check HEADRACE_TOPIC_PREFIX, and the topic's min.insync.replicas and policies",
        "InvalidTopic InvalidRequiredAcks InvalidConfiguration PolicyViolation",
        Scope.ENTITY,
    ),
    _kafka(
        _PERMANENT,
        "the cluster has fewer brokers than replicas are wanted, or takes no further partitions",
        "set a smaller HEADRACE_REPLICATION or HEADRACE_PARTITIONS",
        "InvalidReplicationFactor InvalidPartitions",
    ),
    _kafka(
        _PERMANENT,
        "the client library cannot work with this configuration",
        "correct the HEADRACE_KAFKA_* settings; a codec may have to be installed",
        "KafkaConfiguration UnsupportedCodec",
    ),
    _kafka(
        _RECORD,
        "the record is larger than the topic's max.message.bytes",
        "raise it; until then a dead letter is cut, and a clean or pending record becomes a dead letter",
        "MessageSizeTooLarge RecordTooLarge RecordListTooLarge",
    ),
    _kafka(
        _RECORD,
        "the record's timestamp is outside of the topic's message.timestamp.before.max.ms or .after.max.ms",
        "widen them; until then the record is stamped with the present time",
        "InvalidTimestamp",
    ),
    _kafka(
        _RECORD,
        "the broker's validation refuses the record: no key on a compacted topic, or its schema",
        "see the broker's log; until then the record gets a key, or becomes a dead letter",
        "InvalidRecord CorruptRecord CorruptRecordException",
    ),
    # --- Redis, by the first word of its reply or the class of redis-py ---------------------------------------------------
    _redis(
        _PASSING,
        "Redis cannot be reached",
        "start it, or correct the address in HEADRACE_REDIS",
        "ConnectionError OSError gaierror",
    ),
    _redis(
        _PASSING,
        "Redis does not answer in time",
        "check its load, and whether a firewall is in between",
        "TimeoutError",
    ),
    _redis(
        _PASSING,
        "Redis takes no further connection",
        "raise its maxclients, or stop clients",
        "MaxConnectionsError",
        "max number of clients reached",
    ),
    _redis(_PASSING, "Redis is still loading its data", "wait", "LOADING BusyLoadingError"),
    _redis(
        _PASSING,
        "another client's script does not end",
        "end it with SCRIPT KILL, and give Headrace a Redis of its own",
        "BUSY UNKILLABLE",
    ),
    _redis(
        _PASSING,
        "this Redis is a replica and takes no writes",
        "wait for the failover, or name the master in HEADRACE_REDIS",
        "READONLY ReadOnlyError",
    ),
    _redis(
        _PASSING,
        "this Redis is a replica without its master",
        "start the master, or name it in HEADRACE_REDIS",
        "MASTERDOWN MasterDownError",
    ),
    _redis(
        _PASSING,
        "Redis has reached its maxmemory and refuses writes",
        "raise maxmemory, or free memory; nothing is counted until then",
        "OOM OutOfMemoryError",
    ),
    _redis(
        _PASSING,
        "Redis cannot save its data and refuses writes",
        "see Redis' log: mostly its disk is full or not writable; nothing is counted until then",
        "MISCONF",
    ),
    _redis(
        _PASSING,
        "Redis has fewer replicas than min-replicas-to-write and refuses writes",
        "start the replicas, or lower the limit",
        "NOREPLICAS NOGOODSLAVE",
    ),
    _redis(
        _PASSING,
        "Redis was restarted, or changes its state",
        "wait",
        "NOSCRIPT NoScriptError TRYAGAIN TryAgainError INPROG UNBLOCKED EXECABORT ExecAbortError",
    ),
    _redis(
        _PERMANENT,
        "Redis requires a password",
        "add it to HEADRACE_REDIS: redis://:PASSWORD@host:port/db",
        "NOAUTH",
    ),
    _redis(
        _PERMANENT,
        "Redis refused the user or password",
        "correct them in HEADRACE_REDIS; write %40 for @, %23 for #, %2F for / and %3A for : within them",
        "WRONGPASS AuthenticationError AuthenticationWrongNumberOfArgsError",
        "invalid password",
        "without any password configured",
    ),
    _redis(
        _PERMANENT,
        "the Redis user lacks a right",
        "grant it ~HEADRACE_REDIS_PREFIX:* +@all -@admin +info",
        "NOPERM NoPermissionError AuthorizationError",
    ),
    _redis(
        _PERMANENT,
        "this is a Redis Cluster, which keeps keys on several servers; one script counts a batch under many keys",
        "name a Redis without cluster mode in HEADRACE_REDIS",
        "MOVED MovedError ASK AskError CLUSTERDOWN ClusterDownError CROSSSLOT ClusterCrossSlotError ClusterError",
        "not allowed in cluster mode",
        "non local key in a cluster",
    ),
    _redis(
        _PERMANENT,
        "a key holds something else than Headrace wrote: another program uses the prefix",
        "give Headrace a prefix of its own with HEADRACE_REDIS_PREFIX",
        "WRONGTYPE",
    ),
    _redis(
        _PERMANENT,
        "this Redis has no such database or command",
        "correct the number at the end of HEADRACE_REDIS; rename no commands, and use a newer Redis",
        "",
        "DB index is out of range",
        "invalid DB index",
        "unknown command",
        "Unknown Redis command",
    ),
    _redis(
        _PERMANENT,
        "Redis' certificate cannot be verified",
        "append ?ssl_ca_certs=FILE to HEADRACE_REDIS, and use the certificate's host name",
        "SSLCertVerificationError CertificateError",
    ),
    _redis(
        _PERMANENT,
        "Redis does not speak TLS on this port",
        "write redis:// instead of rediss://, or name the port with TLS in HEADRACE_REDIS",
        "WRONG_VERSION_NUMBER",
    ),
    _redis(
        _PASSING,
        "Redis refuses a command",
        "see Redis' log; if another program writes under the prefix, set HEADRACE_REDIS_PREFIX",
        "ResponseError",
    ),
    # --- HTTP sources, the model, notifications ---------------------------------------------------------------------------
    _http(SOURCE, _PASSING, "the API is busy or fails", "try again later", "429 5xx"),
    _http(
        SOURCE,
        _PASSING,
        "the API cannot be reached, or its answer breaks off",
        "try again later",
        "TimeoutException TransportError DecodingError",
    ),
    _http(SOURCE, _PERMANENT, "the API refuses the token", "set HEADRACE_SOURCE_TOKEN", "401 403"),
    _http(SOURCE, _PERMANENT, "there is no such page", "check the address", "3xx 4xx InvalidURL UnsupportedProtocol"),
    _http(MODEL, _PASSING, "too many requests, or no credit left", "wait: until then a template writes the report", "429"),
    _http(
        MODEL,
        _PASSING,
        "the endpoint is busy, fails or cannot be reached",
        "wait: until then a template writes the report",
        "408 409 425 5xx APIConnectionError APITimeoutError",
    ),
    _http(MODEL, _PERMANENT, "the endpoint refuses the key", "set HEADRACE_LLM_KEY", "401"),
    _http(MODEL, _PERMANENT, "the key may not use this model", "set HEADRACE_LLM_KEY or HEADRACE_LLM_MODEL", "403"),
    _http(MODEL, _PERMANENT, "model or address not found", "set HEADRACE_LLM_MODEL or HEADRACE_LLM_BASE_URL", "404"),
    _http(MODEL, _PERMANENT, "the endpoint refuses the request", "check HEADRACE_LLM_BASE_URL", "3xx 4xx"),
    _http(
        NOTIFICATION,
        _PASSING,
        "the channel does not take the message; Apprise does not say why",
        "test it with `headrace notify --test`",
        "all",
    ),
)
