/**
 * Every file system call of the workspace but watching, as a port. What decides and what relies on it is synchronous,
 * so that a check and the act lie microseconds apart; what takes its time (data, fsync, whole trees) is not.
 * Replaceable, so that a test can slip an edit or an error in between any two calls, or stand in for the disk.
 */
import fs, { type Dirent, type Stats } from 'node:fs'
import { promisify } from 'node:util'

export type FileStats = Pick<
  Stats,
  | 'dev'
  | 'ino'
  | 'mode'
  | 'nlink'
  | 'uid'
  | 'gid'
  | 'size'
  | 'mtimeMs'
  | 'ctimeMs'
  | 'birthtimeMs'
  | 'isFile'
  | 'isDirectory'
  | 'isSymbolicLink'
>

export type FolderEntry = Pick<Dirent, 'name' | 'isFile' | 'isDirectory' | 'isSymbolicLink'>

/** As the functions of `node:fs` of the same name do, unless said otherwise; paths are absolute, times in seconds. */
export interface FileCalls {
  /**
   * The folder in which each open descriptor stands under its number, as a link to what it is open for: a name below
   * an open folder is then `<this>/<fd>/<name>`. `null` where the system has none.
   */
  readonly descriptorFolder: string | null

  openSync(path: string, flags: number, mode?: number): number
  closeSync(fd: number): void
  fstatSync(fd: number): FileStats
  lstatSync(path: string): FileStats
  /** Answers the number of bytes, 0 at the end. A `position` of `null` goes on where the descriptor stands. */
  readSync(fd: number, buffer: Uint8Array, offset: number, length: number, position: number | null): number
  writeSync(fd: number, bytes: Uint8Array, offset: number, length: number, position: number): number
  ftruncateSync(fd: number, length: number): void
  fchmodSync(fd: number, mode: number): void
  fchownSync(fd: number, uid: number, gid: number): void
  futimesSync(fd: number, atime: number, mtime: number): void
  linkSync(from: string, to: string): void
  renameSync(from: string, to: string): void
  unlinkSync(path: string): void
  mkdirSync(path: string, options?: { readonly recursive?: boolean; readonly mode?: number }): void
  rmdirSync(path: string): void
  readdirSync(path: string): string[]
  readEntriesSync(path: string): FolderEntry[]
  /** The names as they are on the disk, which need not be UTF-8. */
  readNamesSync(path: string): Buffer[]
  readlinkSync(path: string): string
  realpathSync(path: string): string
  statfsSync(path: string): { readonly bavail: number; readonly bsize: number }

  fsync(fd: number): Promise<void>
  read(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): Promise<number>
  write(fd: number, bytes: Uint8Array, offset: number, length: number, position: number): Promise<number>
  /** To a name that is free (`EEXIST` otherwise), sharing the data where the file system can; with the mode. */
  copyFile(source: string, target: string): Promise<void>
  readdir(path: string): Promise<string[]>
  /** Removes a file, or a folder with what is in it. Nothing there is fine. */
  remove(path: string): Promise<void>
}

const readFile = promisify(fs.read)
const writeFile = promisify(fs.write)
const { COPYFILE_EXCL, COPYFILE_FICLONE } = fs.constants

export const systemFileCalls: FileCalls = {
  descriptorFolder: process.platform === 'linux' && fs.existsSync('/proc/self/fd') ? '/proc/self/fd' : null,
  openSync: fs.openSync,
  closeSync: fs.closeSync,
  fstatSync: fs.fstatSync,
  lstatSync: fs.lstatSync,
  readSync: fs.readSync,
  writeSync: fs.writeSync,
  ftruncateSync: fs.ftruncateSync,
  fchmodSync: fs.fchmodSync,
  fchownSync: fs.fchownSync,
  futimesSync: fs.futimesSync,
  linkSync: fs.linkSync,
  renameSync: fs.renameSync,
  unlinkSync: fs.unlinkSync,
  mkdirSync: fs.mkdirSync,
  rmdirSync: fs.rmdirSync,
  readdirSync: fs.readdirSync,
  readEntriesSync: (path) => fs.readdirSync(path, { withFileTypes: true }),
  readNamesSync: (path) => fs.readdirSync(path, { encoding: 'buffer' }),
  readlinkSync: fs.readlinkSync,
  realpathSync: fs.realpathSync,
  statfsSync: fs.statfsSync,
  fsync: promisify(fs.fsync),
  read: async (...args) => (await readFile(...args)).bytesRead,
  write: async (...args) => (await writeFile(...args)).bytesWritten,
  copyFile: (source, target) => fs.promises.copyFile(source, target, COPYFILE_EXCL | COPYFILE_FICLONE),
  readdir: (path) => fs.promises.readdir(path),
  remove: (path) => fs.promises.rm(path, { recursive: true, force: true }),
}
