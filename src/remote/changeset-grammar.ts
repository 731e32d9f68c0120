/** The strict grammar of a changeset's lines. Paths are data here, hostile ones included: the engine judges them. */
import { z } from 'zod'
import type { ChangesetHeader, Operation } from '../model/changeset.ts'
import { isInstant } from '../model/instant.ts'
import { canonicalJson, type JsonValue } from '../model/json.ts'
import {
  adoptsMax,
  ancestorsMax,
  candidatesMax,
  changesetOperationsMax,
  checkpointBytesMax,
  fileBytesMax,
  metadataBytesMax,
  pathBytesMax,
} from '../model/limits.ts'
import { parseCheckpointName, parseContentName } from './layout.ts'

const hash = z.string().regex(/^[0-9a-f]{64}$/)
const uuid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
const time = z.string().refine(isInstant, 'no time in UTC')
const version = z.int().min(1).max(999_999_999_999)
const size = z.int().min(0).max(fileBytesMax)
const label = z.string().max(512)
const aspect = z.custom<'content' | `metadata.${string}`>(
  (value) =>
    typeof value === 'string' &&
    (value === 'content' || /^metadata\../s.test(value)) &&
    // As a field of metadata it would be refused, and a resolution makes it one.
    value !== 'metadata.__proto__' &&
    Buffer.byteLength(value) <= metadataBytesMax,
)
const path = z
  .string()
  .min(1)
  .max(pathBytesMax)
  .refine((value) => Buffer.byteLength(value) <= pathBytesMax && !value.includes('\0'))

function fitsMetadata(value: unknown): boolean {
  return Buffer.byteLength(canonicalJson(value as JsonValue)) <= metadataBytesMax
}

// Taken as parsed, never copied field by field.
const jsonValue = z.custom<JsonValue>((value) => value !== undefined && fitsMetadata(value))
const metadata = z.custom<{ readonly [field: string]: JsonValue }>(
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !Object.values(value).includes(null) &&
    fitsMetadata(value),
)

const stateFields = {
  path,
  kind: z.enum(['file', 'folder']),
  size,
  hash: hash.nullable(),
  executable: z.boolean(),
  mtimeUs: z.int(),
  metadata,
}
const state = z
  .strictObject(stateFields)
  .refine((file) =>
    file.kind === 'file'
      ? file.hash !== null
      : file.hash === null && file.size === 0 && !file.executable && file.mtimeUs === 0,
  )
const before = z.strictObject(stateFields).partial()

const base = z.strictObject({ hash, size, value: jsonValue.optional() })
const candidate = z.strictObject({
  instance: uuid,
  name: label,
  hash,
  size,
  value: jsonValue.optional(),
  at: time,
})
const candidates = z
  .array(candidate)
  .max(candidatesMax)
  .refine(
    (list) => new Set(list.map((side) => side.instance)).size === list.length,
    'an instance speaks twice',
  )
const conflictId = z.string().regex(/^[0-9a-f]{32}$/)
const conflictKind = z.enum(['edit', 'create', 'metadata'])

const objectName = z.string().refine((name) => parseContentName(name) !== null)
const checkpointSize = z.int().min(1).max(checkpointBytesMax)
const checkpoint = z
  .strictObject({ version, chainHash: hash, name: z.string(), hash, size: checkpointSize })
  .refine((reference) => {
    const named = parseCheckpointName(reference.name)
    return named !== null && named.version === reference.version && named.hash === reference.hash
  })

const operationSchemas = {
  put: z.strictObject({ kind: z.literal('put'), id: uuid, before: before.nullable(), after: state }),
  delete: z.strictObject({ kind: z.literal('delete'), id: uuid, before: state }),
  conflict: z.strictObject({
    kind: z.literal('conflict'),
    id: conflictId,
    fileId: uuid,
    path,
    conflict: conflictKind,
    aspect,
    base: base.nullable(),
    add: candidates,
    remove: z.array(z.strictObject({ instance: uuid, hash })).max(candidatesMax),
  }),
  resolve: z.strictObject({
    kind: z.literal('resolve'),
    id: conflictId,
    fileId: uuid,
    strategy: z.enum(['local', 'remote', 'both', 'merge', 'equal', 'deleted']),
    decided: z.array(hash).max(candidatesMax + 2),
    before: z.strictObject({
      path,
      conflict: conflictKind,
      aspect,
      base: base.nullable(),
      candidates,
      detectedAt: time,
      version,
    }),
  }),
  object: z
    .strictObject({ kind: z.literal('object'), hash, size, name: objectName, before: objectName.nullable() })
    .refine((object) => parseContentName(object.name) === object.hash),
  notice: z.strictObject({
    kind: z.literal('notice'),
    fileId: uuid,
    path,
    rule: z.string().regex(/^R\d{1,3}-[a-z-]{1,64}$/),
    detail: z.string().min(1).max(1_000),
  }),
  checkpoint: z.strictObject({
    kind: z.literal('checkpoint'),
    checkpoint,
    before: checkpoint.nullable(),
  }),
} satisfies Record<Operation['kind'], z.ZodType>

const zeros = '0'.repeat(64)
const header = z
  .strictObject({
    format: z.literal(1),
    version,
    parent: hash,
    replicaSet: z.string().regex(/^[0-9a-z-]{1,128}$/),
    instance: z.strictObject({ id: uuid, name: label, incarnation: z.string().max(128) }),
    nonce: z.string().regex(/^[0-9a-f]{16,128}$/),
    at: time,
    operations: z.int().min(0).max(changesetOperationsMax),
    ancestors: z.array(hash).max(ancestorsMax),
    adopts: z.array(hash).max(adoptsMax),
    digest: hash,
    checkpoint: checkpoint.nullable(),
  })
  .refine((value) => value.ancestors.length === Math.min(ancestorsMax, value.version - 1), {
    message: 'the number of ancestors does not fit the version',
  })
  .refine((value) => (value.version === 1 ? value.parent === zeros : value.parent === value.ancestors[0]), {
    message: 'the parent is not the first ancestor',
  })
  .refine((value) => (value.checkpoint?.version ?? 0) <= value.version, {
    message: 'the checkpoint is newer than the changeset',
  })

/** Whether this format knows operations of the kind at all. */
export function isOperationKind(kind: unknown): kind is Operation['kind'] {
  return typeof kind === 'string' && Object.hasOwn(operationSchemas, kind)
}

/** The header, or a sentence about what is wrong with it. */
export function checkHeader(
  value: unknown,
): { readonly header: ChangesetHeader } | { readonly problem: string } {
  const result = header.safeParse(value)
  return result.success ? { header: result.data } : { problem: problemOf(result.error) }
}

/** One operation of a known kind, or a sentence about what is wrong with it. */
export function checkOperation(
  kind: Operation['kind'],
  value: unknown,
): { readonly operation: Operation } | { readonly problem: string } {
  const result = operationSchemas[kind].safeParse(value)
  // exactOptionalPropertyTypes: zod's optional fields may be `undefined` by type; JSON has no such value.
  return result.success ? { operation: result.data as Operation } : { problem: problemOf(result.error) }
}

function problemOf(error: z.ZodError): string {
  const issue = error.issues[0]
  return issue === undefined ? 'it does not parse' : `${issue.path.join('.') || 'line'}: ${issue.message}`
}
