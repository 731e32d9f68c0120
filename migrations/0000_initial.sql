-- Made by drizzle-kit from src/database/schema. Extended by hand with what drizzle cannot express:
--   STRICT         a column holds the type it names, or the write fails;
--   WITHOUT ROWID  the row lies in the index of its key, so that an id costs no second index (a third of the file);
--   application_id and user_version, at the end: whose file this is, and which migration it has come to.
CREATE TABLE `adoptions` (
	`version` integer NOT NULL,
	`orphan` blob NOT NULL
) STRICT;
--> statement-breakpoint
CREATE INDEX `adoptions_orphan` ON `adoptions` (`orphan`);--> statement-breakpoint
CREATE INDEX `adoptions_version` ON `adoptions` (`version`);--> statement-breakpoint
CREATE TABLE `attempts` (
	`hash` blob PRIMARY KEY NOT NULL,
	`version` integer NOT NULL,
	`parent_version` integer NOT NULL,
	`parent_hash` blob NOT NULL,
	`bytes` blob NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE `head` (
	`id` integer PRIMARY KEY NOT NULL,
	`version` integer,
	`hash` blob,
	`digest` blob NOT NULL,
	`replica_set` text,
	`checkpoint` text,
	`bytes_since_checkpoint` integer NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE `journal` (
	`version` integer PRIMARY KEY NOT NULL,
	`hash` blob NOT NULL,
	`size` integer NOT NULL,
	`bytes` blob
) STRICT;
--> statement-breakpoint
CREATE TABLE `orphans` (
	`sequence` integer PRIMARY KEY NOT NULL,
	`hash` blob NOT NULL
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `orphans_hash_unique` ON `orphans` (`hash`);--> statement-breakpoint
CREATE TABLE `conflicts` (
	`id` blob PRIMARY KEY NOT NULL,
	`file_id` blob NOT NULL,
	`path` text NOT NULL,
	`kind` text NOT NULL,
	`aspect` text NOT NULL,
	`base_hash` blob,
	`base_size` integer,
	`base_value` text,
	`candidates` text NOT NULL,
	`detected_at` text NOT NULL,
	`version` integer NOT NULL,
	`strategy` text,
	`resolved_version` integer,
	`resolved_at` text
) WITHOUT ROWID, STRICT;
--> statement-breakpoint
CREATE INDEX `conflicts_open` ON `conflicts` (`id`) WHERE strategy IS NULL;--> statement-breakpoint
CREATE INDEX `conflicts_open_file` ON `conflicts` (`file_id`) WHERE strategy IS NULL;--> statement-breakpoint
CREATE TABLE `contents` (
	`hash` blob PRIMARY KEY NOT NULL,
	`size` integer NOT NULL,
	`name` text NOT NULL
) WITHOUT ROWID, STRICT;
--> statement-breakpoint
CREATE TABLE `file_versions` (
	`file_id` blob NOT NULL,
	`version` integer NOT NULL,
	`until_version` integer NOT NULL,
	`path` text NOT NULL,
	`folder` integer NOT NULL,
	`size` integer NOT NULL,
	`hash` blob,
	`executable` integer NOT NULL,
	`mtime_us` integer NOT NULL,
	`metadata` text,
	PRIMARY KEY(`file_id`, `version`)
) WITHOUT ROWID, STRICT;
--> statement-breakpoint
CREATE TABLE `events` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`type` text NOT NULL,
	`at` text NOT NULL,
	`instance` text NOT NULL,
	`data` text NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE `problems` (
	`path` text NOT NULL,
	`code` text NOT NULL,
	`detail` text NOT NULL,
	`at` text NOT NULL,
	PRIMARY KEY(`path`, `code`)
) WITHOUT ROWID, STRICT;
--> statement-breakpoint
CREATE TABLE `pulled_files` (
	`id` blob PRIMARY KEY NOT NULL,
	`path` text NOT NULL,
	`hash` blob NOT NULL
) WITHOUT ROWID, STRICT;
--> statement-breakpoint
CREATE TABLE `runs` (
	`sequence` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`run_id` text NOT NULL,
	`kind` text NOT NULL,
	`trigger` text NOT NULL,
	`started_at` text NOT NULL,
	`summary` text
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `runs_run_id_unique` ON `runs` (`run_id`);--> statement-breakpoint
CREATE TABLE `settings` (
	`key` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL
) WITHOUT ROWID, STRICT;
--> statement-breakpoint
CREATE TABLE `dirty` (
	`id` blob PRIMARY KEY NOT NULL,
	`minor` integer NOT NULL
) WITHOUT ROWID, STRICT;
--> statement-breakpoint
CREATE INDEX `dirty_pending` ON `dirty` (`id`) WHERE minor = 0;--> statement-breakpoint
CREATE TABLE `local_files` (
	`id` blob PRIMARY KEY NOT NULL,
	`path` text NOT NULL,
	`folder` integer NOT NULL,
	`size` integer NOT NULL,
	`hash` blob,
	`executable` integer NOT NULL,
	`mtime_us` integer NOT NULL,
	`metadata` text,
	`stamp_size` real,
	`stamp_mtime_ms` real,
	`stamp_ctime_ms` real,
	`stamp_inode` real,
	`stamp_birthtime_ms` real,
	`racy` integer NOT NULL,
	`absence` text,
	`presence` integer NOT NULL
) WITHOUT ROWID, STRICT;
--> statement-breakpoint
CREATE INDEX `local_files_path` ON `local_files` (`path`);--> statement-breakpoint
CREATE INDEX `local_files_unsettled` ON `local_files` (`presence`,`id`) WHERE presence <> 0;--> statement-breakpoint
CREATE INDEX `local_files_labelled` ON `local_files` (`path`) WHERE metadata IS NOT NULL;--> statement-breakpoint
CREATE TABLE `remote_files` (
	`id` blob PRIMARY KEY NOT NULL,
	`path` text NOT NULL,
	`folder` integer NOT NULL,
	`size` integer NOT NULL,
	`hash` blob,
	`executable` integer NOT NULL,
	`mtime_us` integer NOT NULL,
	`metadata` text,
	`version` integer NOT NULL,
	`deleted_version` integer,
	`deleted_at` text
) WITHOUT ROWID, STRICT;
--> statement-breakpoint
CREATE INDEX `remote_files_live_path` ON `remote_files` (`path`) WHERE deleted_version IS NULL;--> statement-breakpoint
CREATE INDEX `remote_files_dead_path` ON `remote_files` (`path`) WHERE deleted_version IS NOT NULL;--> statement-breakpoint
CREATE INDEX `remote_files_labelled` ON `remote_files` (`path`) WHERE metadata IS NOT NULL;--> statement-breakpoint
CREATE TABLE `synced_files` (
	`id` blob PRIMARY KEY NOT NULL,
	`path` text NOT NULL,
	`folder` integer NOT NULL,
	`size` integer NOT NULL,
	`hash` blob,
	`executable` integer NOT NULL,
	`mtime_us` integer NOT NULL,
	`metadata` text
) WITHOUT ROWID, STRICT;
--> statement-breakpoint
CREATE INDEX `synced_files_path` ON `synced_files` (`path`);--> statement-breakpoint
-- 'Davt'
PRAGMA application_id = 1147238004;--> statement-breakpoint
-- Each migration sets its own number here, counted from 1, in the same transaction as its changes.
PRAGMA user_version = 1;
