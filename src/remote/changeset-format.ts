/**
 * A changeset's bytes: gzip over lines of JSON, the header first, then one operation a line, each ended by a newline.
 * What is read is hostile until it is checked, in this order: stored size, hash, inflated size, lines, JSON, grammar.
 */
import { createHash } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import type { ChainPoint, Changeset, ChangesetHeader, Operation } from '../model/changeset.ts'
import { DavitError } from '../model/errors.ts'
import { unsafeJsonReason } from '../model/json.ts'
import { changesetOperationsMax, changesetPlainBytesMax, changesetStoredBytesMax } from '../model/limits.ts'
import { checkHeader, checkOperation, isOperationKind } from './changeset-grammar.ts'
import { changesetName } from './layout.ts'

/** SHA-256 in lower-case hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Bytes and place of a changeset. Throws `internal` when it breaks a bound or the grammar that readers insist on. */
export function encodeChangeset(
  header: ChangesetHeader,
  operations: readonly Operation[],
): { readonly point: ChainPoint; readonly bytes: Uint8Array } {
  if (operations.length > changesetOperationsMax)
    refuse(`${operations.length} operations are more than ${changesetOperationsMax}`)
  if (header.operations !== operations.length)
    refuse(`the header counts ${header.operations} operations, there are ${operations.length}`)
  const checkedHeader = checkHeader(header)
  if ('problem' in checkedHeader) refuse(`header: ${checkedHeader.problem}`)
  const lines = [header, ...operations].map((value, index) => {
    const unsafe = unsafeJsonReason(value)
    if (unsafe !== null) refuse(`line ${index + 1}: ${unsafe}`)
    return `${JSON.stringify(value)}\n`
  })
  operations.forEach((operation, index) => {
    const checked = checkOperation(operation.kind, operation)
    if ('problem' in checked) refuse(`line ${index + 2}: ${checked.problem}`)
  })
  const plain = Buffer.from(lines.join(''))
  if (plain.length > changesetPlainBytesMax)
    refuse(`${plain.length} bytes are more than ${changesetPlainBytesMax}`)
  const bytes = gzipSync(plain)
  return { point: { version: header.version, hash: sha256(bytes) }, bytes }
}

function refuse(problem: string): never {
  throw new DavitError('internal', `a changeset cannot be written: ${problem}`, { action: 'give-up' })
}

/**
 * The changeset that the stored bytes hold. Throws `remote-damaged` when they are not the named ones or do not follow
 * the grammar, `remote-newer` when a later Davit wrote something that this one does not know.
 */
export function decodeChangeset(point: ChainPoint, bytes: Uint8Array): Changeset {
  if (bytes.length > changesetStoredBytesMax)
    throw damaged(point, `it has ${bytes.length} bytes, more than ${changesetStoredBytesMax}`)
  const hash = sha256(bytes)
  if (hash !== point.hash) throw damaged(point, `its SHA-256 is ${hash}`)
  const lines = linesOf(point, inflate(point, bytes))
  const header = decodeHeader(point, lines[0] as string)
  if (header.operations !== lines.length - 1)
    throw damaged(point, `the header counts ${header.operations} operations, there are ${lines.length - 1}`)
  const operations = lines.slice(1).map((line, index) => decodeOperation(point, line, index + 2))
  return { point, header, operations, bytes }
}

function inflate(point: ChainPoint, bytes: Uint8Array): Uint8Array {
  try {
    // zlib stops at the bound: a bomb costs no more than a whole changeset does.
    return gunzipSync(bytes, { maxOutputLength: changesetPlainBytesMax })
  } catch (error) {
    throw damaged(point, `it does not inflate to at most ${changesetPlainBytesMax} bytes`, error)
  }
}

function linesOf(point: ChainPoint, plain: Uint8Array): string[] {
  let count = 0
  for (const byte of plain) if (byte === 0x0a) count++
  if (count === 0 || count > changesetOperationsMax + 1) throw damaged(point, `it has ${count} lines`)
  if (plain[plain.length - 1] !== 0x0a) throw damaged(point, 'its last line has no end')
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(plain)
  } catch (error) {
    throw damaged(point, 'it is not UTF-8', error)
  }
  return text.slice(0, -1).split('\n')
}

function parseLine(point: ChainPoint, line: string, number: number): unknown {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (error) {
    throw damaged(point, `line ${number} is no JSON`, error)
  }
  const unsafe = unsafeJsonReason(value)
  if (unsafe !== null) throw damaged(point, `line ${number}: ${unsafe}`)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw damaged(point, `line ${number} is no object`)
  return value
}

function decodeHeader(point: ChainPoint, line: string): ChangesetHeader {
  const value = parseLine(point, line, 1) as { readonly format?: unknown }
  if (Number.isSafeInteger(value.format) && (value.format as number) > 1)
    throw newer(point, `format ${value.format}`)
  const checked = checkHeader(value)
  if ('problem' in checked) throw damaged(point, `header: ${checked.problem}`)
  if (checked.header.version !== point.version)
    throw damaged(point, `its header says version ${checked.header.version}`)
  return checked.header
}

function decodeOperation(point: ChainPoint, line: string, number: number): Operation {
  const value = parseLine(point, line, number) as { readonly kind?: unknown }
  if (typeof value.kind !== 'string') throw damaged(point, `line ${number} has no kind`)
  if (!isOperationKind(value.kind))
    throw newer(point, `operations of kind ${JSON.stringify(value.kind.slice(0, 40))}`)
  const checked = checkOperation(value.kind, value)
  if ('problem' in checked) throw damaged(point, `line ${number}: ${checked.problem}`)
  return checked.operation
}

function damaged(point: ChainPoint, problem: string, cause?: unknown): DavitError {
  return new DavitError('remote-damaged', `${changesetName(point)} is damaged: ${problem}`, {
    action: 'ask',
    hint: 'Restore this file from a backup of the server, or let an instance that has it publish it again.',
    cause,
  })
}

function newer(point: ChainPoint, what: string): DavitError {
  return new DavitError(
    'remote-newer',
    `${changesetName(point)} uses ${what}, which this version of Davit does not know`,
    {
      action: 'ask',
      hint: 'Update Davit on this machine; nothing was changed.',
    },
  )
}
