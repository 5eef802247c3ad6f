-- A catalog of version 1, as it was made on PostgreSQL.
CREATE TABLE catalog_info (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT pk_catalog_info PRIMARY KEY (name)
);
CREATE TABLE configuration (
    id BIGSERIAL NOT NULL,
    fingerprint TEXT NOT NULL,
    entry_points TEXT,
    labels TEXT,
    environment TEXT,
    networks TEXT,
    command TEXT,
    CONSTRAINT pk_configuration PRIMARY KEY (id),
    CONSTRAINT uq_configuration_fingerprint UNIQUE (fingerprint)
);
CREATE TABLE content (
    id BIGSERIAL NOT NULL,
    digest TEXT NOT NULL,
    CONSTRAINT pk_content PRIMARY KEY (id),
    CONSTRAINT uq_content_digest UNIQUE (digest)
);
CREATE TABLE data_container (
    id BIGSERIAL NOT NULL,
    uuid TEXT NOT NULL,
    name TEXT,
    created_us BIGINT,
    CONSTRAINT pk_data_container PRIMARY KEY (id),
    CONSTRAINT uq_data_container_uuid UNIQUE (uuid)
);
CREATE INDEX ix_data_container_name ON data_container (name);
CREATE TABLE environment (
    id BIGSERIAL NOT NULL,
    fingerprint TEXT NOT NULL,
    architecture TEXT,
    runtime TEXT,
    runtime_version TEXT,
    scheduler TEXT,
    cluster TEXT,
    CONSTRAINT pk_environment PRIMARY KEY (id),
    CONSTRAINT uq_environment_fingerprint UNIQUE (fingerprint)
);
CREATE TABLE person (
    id BIGSERIAL NOT NULL,
    fingerprint TEXT NOT NULL,
    name TEXT,
    uid BIGINT,
    CONSTRAINT pk_person PRIMARY KEY (id),
    CONSTRAINT uq_person_fingerprint UNIQUE (fingerprint)
);
CREATE INDEX ix_person_name ON person (name);
CREATE TABLE start_command (
    id BIGSERIAL NOT NULL,
    fingerprint TEXT NOT NULL,
    argv TEXT NOT NULL,
    command TEXT NOT NULL,
    cwd TEXT NOT NULL,
    environment TEXT NOT NULL,
    CONSTRAINT pk_start_command PRIMARY KEY (id),
    CONSTRAINT uq_start_command_fingerprint UNIQUE (fingerprint)
);
CREATE TABLE workflow (
    id BIGSERIAL NOT NULL,
    wf_key_name TEXT NOT NULL,
    CONSTRAINT pk_workflow PRIMARY KEY (id),
    CONSTRAINT uq_workflow_wf_key_name UNIQUE (wf_key_name)
);
CREATE TABLE container_image (
    id BIGSERIAL NOT NULL,
    fingerprint TEXT NOT NULL,
    content_id BIGINT,
    uuid TEXT,
    name TEXT,
    path TEXT,
    created_us BIGINT,
    architecture TEXT,
    driver TEXT,
    creator TEXT,
    description TEXT,
    base_image TEXT,
    original_image TEXT,
    config_file TEXT,
    configuration_id BIGINT,
    CONSTRAINT pk_container_image PRIMARY KEY (id),
    CONSTRAINT uq_container_image_fingerprint UNIQUE (fingerprint),
    CONSTRAINT fk_container_image_content_id FOREIGN KEY(content_id) REFERENCES content (id),
    CONSTRAINT fk_container_image_configuration_id FOREIGN KEY(configuration_id) REFERENCES configuration (id)
);
CREATE INDEX ix_container_image_base_image ON container_image (base_image);
CREATE INDEX ix_container_image_content_id ON container_image (content_id);
CREATE INDEX ix_container_image_creator ON container_image (creator);
CREATE INDEX ix_container_image_name ON container_image (name);
CREATE INDEX ix_container_image_uuid ON container_image (uuid);
CREATE TABLE env_partition (
    id BIGSERIAL NOT NULL,
    fingerprint TEXT NOT NULL,
    environment_id BIGINT,
    host TEXT,
    queue TEXT,
    kernel TEXT,
    cpu TEXT,
    cpus INTEGER,
    memory_bytes BIGINT,
    gpus TEXT,
    CONSTRAINT pk_env_partition PRIMARY KEY (id),
    CONSTRAINT uq_env_partition_fingerprint UNIQUE (fingerprint),
    CONSTRAINT fk_env_partition_environment_id FOREIGN KEY(environment_id) REFERENCES environment (id)
);
CREATE INDEX ix_env_partition_environment_id ON env_partition (environment_id);
CREATE TABLE workflow_execution (
    id BIGSERIAL NOT NULL,
    uuid TEXT NOT NULL,
    workflow_id BIGINT,
    composition TEXT,
    CONSTRAINT pk_workflow_execution PRIMARY KEY (id),
    CONSTRAINT uq_workflow_execution_uuid UNIQUE (uuid),
    CONSTRAINT fk_workflow_execution_workflow_id FOREIGN KEY(workflow_id) REFERENCES workflow (id)
);
CREATE INDEX ix_workflow_execution_workflow_id ON workflow_execution (workflow_id);
CREATE TABLE execution (
    id BIGSERIAL NOT NULL,
    uuid TEXT NOT NULL,
    kind TEXT,
    workflow_execution_id BIGINT,
    activity TEXT,
    container_image_id BIGINT,
    start_command_id BIGINT,
    person_id BIGINT,
    env_partition_id BIGINT,
    scheduler TEXT,
    job_id TEXT,
    array_job_id TEXT,
    task_id TEXT,
    started_us BIGINT,
    ended_us BIGINT,
    elapsed_us BIGINT,
    outcome TEXT,
    exit_code INTEGER,
    signal INTEGER,
    action TEXT,
    captured_by TEXT,
    replays TEXT,
    cpu_us BIGINT,
    max_memory_bytes BIGINT,
    CONSTRAINT pk_execution PRIMARY KEY (id),
    CONSTRAINT uq_execution_uuid UNIQUE (uuid),
    CONSTRAINT fk_execution_workflow_execution_id FOREIGN KEY(workflow_execution_id) REFERENCES workflow_execution (id),
    CONSTRAINT fk_execution_container_image_id FOREIGN KEY(container_image_id) REFERENCES container_image (id),
    CONSTRAINT fk_execution_start_command_id FOREIGN KEY(start_command_id) REFERENCES start_command (id),
    CONSTRAINT fk_execution_person_id FOREIGN KEY(person_id) REFERENCES person (id),
    CONSTRAINT fk_execution_env_partition_id FOREIGN KEY(env_partition_id) REFERENCES env_partition (id)
);
CREATE INDEX ix_execution_activity ON execution (activity);
CREATE INDEX ix_execution_array_job_id ON execution (array_job_id);
CREATE INDEX ix_execution_container_image_id ON execution (container_image_id);
CREATE INDEX ix_execution_env_partition_id ON execution (env_partition_id);
CREATE INDEX ix_execution_job_id ON execution (job_id);
CREATE INDEX ix_execution_outcome ON execution (outcome);
CREATE INDEX ix_execution_person_id ON execution (person_id);
CREATE INDEX ix_execution_started_us ON execution (started_us);
CREATE INDEX ix_execution_workflow_execution_id ON execution (workflow_execution_id);
CREATE TABLE container (
    id BIGSERIAL NOT NULL,
    execution_id BIGINT NOT NULL,
    container_image_id BIGINT,
    start_command_id BIGINT,
    binds TEXT,
    isolation TEXT,
    CONSTRAINT pk_container PRIMARY KEY (id),
    CONSTRAINT uq_container_execution_id UNIQUE (execution_id),
    CONSTRAINT fk_container_execution_id FOREIGN KEY(execution_id) REFERENCES execution (id),
    CONSTRAINT fk_container_container_image_id FOREIGN KEY(container_image_id) REFERENCES container_image (id),
    CONSTRAINT fk_container_start_command_id FOREIGN KEY(start_command_id) REFERENCES start_command (id)
);
CREATE INDEX ix_container_container_image_id ON container (container_image_id);
CREATE TABLE metric (
    execution_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    value FLOAT,
    text TEXT NOT NULL,
    recorded_us BIGINT NOT NULL,
    CONSTRAINT pk_metric PRIMARY KEY (execution_id, name),
    CONSTRAINT fk_metric_execution_id FOREIGN KEY(execution_id) REFERENCES execution (id)
);
CREATE INDEX ix_metric_name_value ON metric (name, value, execution_id);
CREATE TABLE note (
    execution_id BIGINT NOT NULL,
    said_by TEXT NOT NULL,
    place INTEGER NOT NULL,
    text TEXT NOT NULL,
    CONSTRAINT pk_note PRIMARY KEY (execution_id, said_by, place),
    CONSTRAINT fk_note_execution_id FOREIGN KEY(execution_id) REFERENCES execution (id)
);
CREATE TABLE report (
    execution_id BIGINT NOT NULL,
    host TEXT,
    boot_id TEXT,
    pid BIGINT,
    pid_started BIGINT,
    started_us BIGINT,
    seen_us BIGINT,
    is_ended BOOLEAN NOT NULL,
    CONSTRAINT pk_report PRIMARY KEY (execution_id),
    CONSTRAINT fk_report_execution_id FOREIGN KEY(execution_id) REFERENCES execution (id)
);
CREATE TABLE state (
    id BIGSERIAL NOT NULL,
    key TEXT NOT NULL,
    data_container_id BIGINT,
    record TEXT,
    content_id BIGINT,
    generated_by BIGINT,
    revision_of BIGINT,
    name TEXT,
    path TEXT,
    mount TEXT,
    files BIGINT,
    marks TEXT,
    CONSTRAINT pk_state PRIMARY KEY (id),
    CONSTRAINT uq_state_key UNIQUE (key),
    CONSTRAINT fk_state_data_container_id FOREIGN KEY(data_container_id) REFERENCES data_container (id),
    CONSTRAINT fk_state_content_id FOREIGN KEY(content_id) REFERENCES content (id),
    CONSTRAINT fk_state_generated_by FOREIGN KEY(generated_by) REFERENCES execution (id),
    CONSTRAINT fk_state_revision_of FOREIGN KEY(revision_of) REFERENCES state (id)
);
CREATE INDEX ix_state_content_id ON state (content_id);
CREATE INDEX ix_state_data_container_id ON state (data_container_id);
CREATE INDEX ix_state_generated_by ON state (generated_by);
CREATE INDEX ix_state_record ON state (record);
CREATE INDEX ix_state_revision_of ON state (revision_of);
CREATE TABLE tag (
    execution_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    recorded_us BIGINT NOT NULL,
    CONSTRAINT pk_tag PRIMARY KEY (execution_id, name),
    CONSTRAINT fk_tag_execution_id FOREIGN KEY(execution_id) REFERENCES execution (id)
);
CREATE INDEX ix_tag_name_value ON tag (name, value, execution_id);
CREATE TABLE location (
    id BIGSERIAL NOT NULL,
    host TEXT NOT NULL,
    folder TEXT NOT NULL,
    name TEXT NOT NULL,
    device BIGINT,
    inode BIGINT,
    size BIGINT,
    mtime_ns BIGINT,
    ctime_ns BIGINT,
    status TEXT NOT NULL,
    reason TEXT,
    data_container_id BIGINT,
    container_image_id BIGINT,
    state_id BIGINT,
    seen_us BIGINT,
    CONSTRAINT pk_location PRIMARY KEY (id),
    CONSTRAINT uq_location_host_folder_name UNIQUE (host, folder, name),
    CONSTRAINT fk_location_data_container_id FOREIGN KEY(data_container_id) REFERENCES data_container (id),
    CONSTRAINT fk_location_container_image_id FOREIGN KEY(container_image_id) REFERENCES container_image (id),
    CONSTRAINT fk_location_state_id FOREIGN KEY(state_id) REFERENCES state (id)
);
CREATE INDEX ix_location_container_image_id ON location (container_image_id);
CREATE INDEX ix_location_data_container_id ON location (data_container_id);
CREATE INDEX ix_location_state_id ON location (state_id);
CREATE INDEX ix_location_status ON location (status);
CREATE TABLE used (
    execution_id BIGINT NOT NULL,
    state_id BIGINT NOT NULL,
    mount TEXT NOT NULL,
    name TEXT,
    path TEXT,
    marks TEXT,
    CONSTRAINT pk_used PRIMARY KEY (execution_id, state_id, mount),
    CONSTRAINT fk_used_execution_id FOREIGN KEY(execution_id) REFERENCES execution (id),
    CONSTRAINT fk_used_state_id FOREIGN KEY(state_id) REFERENCES state (id)
);
CREATE INDEX ix_used_state_id_execution_id ON used (state_id, execution_id);
CREATE TABLE record (
    id BIGSERIAL NOT NULL,
    digest TEXT NOT NULL,
    kind TEXT NOT NULL,
    execution_id BIGINT,
    data_container_id BIGINT,
    previous TEXT,
    about TEXT,
    recorded_us BIGINT,
    captured_by TEXT,
    version TEXT,
    verdict TEXT,
    location_id BIGINT,
    CONSTRAINT pk_record PRIMARY KEY (id),
    CONSTRAINT uq_record_digest UNIQUE (digest),
    CONSTRAINT fk_record_execution_id FOREIGN KEY(execution_id) REFERENCES execution (id),
    CONSTRAINT fk_record_data_container_id FOREIGN KEY(data_container_id) REFERENCES data_container (id),
    CONSTRAINT fk_record_location_id FOREIGN KEY(location_id) REFERENCES location (id)
);
CREATE INDEX ix_record_about ON record (about);
CREATE INDEX ix_record_data_container_id ON record (data_container_id);
CREATE INDEX ix_record_execution_id ON record (execution_id);
CREATE INDEX ix_record_location_id ON record (location_id);
CREATE INDEX ix_record_recorded_us ON record (recorded_us);
INSERT INTO catalog_info (name, value) VALUES ('version', '1'), ('created_us', '1780000000000000'), ('created_by', '0.1.0');
INSERT INTO content (id, digest) VALUES (1, 'tree-v1:1111111111111111111111111111111111111111111111111111111111111111');
INSERT INTO execution (id, uuid, kind, started_us) VALUES (1, '00000000-0000-4000-8000-0000000000ff', 'making', 1780000000000000);
INSERT INTO data_container (id, uuid, name) VALUES (1, '00000000-0000-4000-8000-000000000001', 'out.sif');
INSERT INTO state (id, key, data_container_id, record, content_id, generated_by) VALUES (1, '00000000-0000-4000-8000-000000000001#sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 1, 'sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 1, 1);
INSERT INTO location (id, host, folder, name, device, inode, size, mtime_ns, ctime_ns, status, data_container_id, state_id) VALUES (1, '', '/data', 'out.sif', 1, 2, 3, 4, 5, 'good', 1, 1);
INSERT INTO record (id, digest, kind, data_container_id, previous, recorded_us, location_id) VALUES (1, 'sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'origin', 1, NULL, 1, 1);
INSERT INTO record (id, digest, kind, data_container_id, previous, recorded_us, location_id) VALUES (2, 'sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 'annotation', 1, 'sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 2, 1);
INSERT INTO record (id, digest, kind, data_container_id, previous, recorded_us, location_id) VALUES (3, 'sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc', 'annotation', 1, 'sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 3, 1);
INSERT INTO record (id, digest, kind, data_container_id, previous, recorded_us, location_id) VALUES (4, 'sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd', 'verdict', 1, 'sha256:eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee', 4, 1);
