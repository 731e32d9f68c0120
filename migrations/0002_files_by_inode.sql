-- A file that is found under a new name is looked for under the one that it had.
CREATE INDEX `local_files_inode` ON `local_files` (`stamp_inode`) WHERE presence = 0 AND stamp_inode IS NOT NULL;
--> statement-breakpoint
PRAGMA user_version = 3;
