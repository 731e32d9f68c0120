-- New files on their way to the disk: what is left of them after a crash is known for what it is.
CREATE TABLE `arriving_files` (
	`id` blob PRIMARY KEY NOT NULL,
	`path` text NOT NULL,
	`hash` blob NOT NULL
) WITHOUT ROWID, STRICT;
--> statement-breakpoint
PRAGMA user_version = 2;
