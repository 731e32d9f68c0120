/**
 * The system calls that the writing steps make, as a port: synchronous, so that a check and the act that relies on it
 * lie microseconds apart, and replaceable, so that a test can slip an edit or an error in between any two of them.
 */
import fs from 'node:fs'

export type FileCalls = Pick<
  typeof fs,
  | 'closeSync'
  | 'fchmodSync'
  | 'fchownSync'
  | 'fstatSync'
  | 'futimesSync'
  | 'linkSync'
  | 'lstatSync'
  | 'mkdirSync'
  | 'openSync'
  | 'readdirSync'
  | 'readlinkSync'
  | 'realpathSync'
  | 'renameSync'
  | 'rmdirSync'
  | 'statfsSync'
  | 'unlinkSync'
>

export const systemFileCalls: FileCalls = fs
