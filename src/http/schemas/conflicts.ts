/** Bodies that resolve conflicts. */
import { z } from 'zod'
import type { ResolutionStrategy } from '../../model/conflict.ts'

const strategies: Readonly<Record<string, ResolutionStrategy>> = {
  local: 'local',
  remote: 'remote',
  both: 'both',
  merge: 'merge',
  local_wins: 'local',
  remote_wins: 'remote',
  keep_both: 'both',
}
const ofRecords: ReadonlySet<string> = new Set(['file', 'database', 'keep_yaml', 'keep_db'])

const strategy = z.string().transform((given, context): ResolutionStrategy => {
  const known = Object.hasOwn(strategies, given) ? strategies[given] : undefined
  if (known !== undefined) return known
  context.addIssue({
    code: 'custom',
    message: ofRecords.has(given)
      ? `'${given}' resolves conflicts between a file and its record; this one is between instances: use local, remote, both or merge`
      : 'has to be local, remote, both or merge',
  })
  return z.NEVER
})

const fields = {
  strategy,
  candidate: z.string().min(1).max(1_024).optional(),
  content: z.string().optional(),
  contentBase64: z.base64().optional(),
  expected: z.string().min(1).max(1_024).optional(),
}

interface ContentFields {
  readonly strategy: ResolutionStrategy
  readonly content?: string | undefined
  readonly contentBase64?: string | undefined
}

const oneContent = (body: ContentFields) => body.content === undefined || body.contentBase64 === undefined
const contentForMerge = (body: ContentFields) =>
  body.strategy === 'merge' || (body.content === undefined && body.contentBase64 === undefined)
const oneContentMessage = 'state either content or contentBase64, not both'
const contentForMergeMessage = "a content goes with the strategy 'merge' only"

export const resolveBody = z
  .strictObject(fields)
  .refine(oneContent, oneContentMessage)
  .refine(contentForMerge, contentForMergeMessage)

export const resolveByIdBody = z
  .strictObject({ ...fields, id: z.string().min(1).max(1_024) })
  .refine(oneContent, oneContentMessage)
  .refine(contentForMerge, contentForMergeMessage)
