/** Queries and bodies of `/files`. */
import { z } from 'zod'
import type { JsonObject } from '../../model/json.ts'
import { pageFields } from './page.ts'
import { filePath } from './path.ts'

const flag = z.enum(['true', 'false', '1', '0']).transform((given) => given === 'true' || given === '1')

export const filesQuery = z
  .strictObject({
    ...pageFields,
    /** The file at exactly this path; a list of one or none. */
    path: filePath.optional(),
    prefix: z.string().max(4_096).optional(),
    label: z.string().min(1).max(1_024).optional(),
    status: z.enum(['synced', 'pending', 'conflict', 'problem']).optional(),
    deleted: flag.optional(),
  })
  .refine(
    (query) =>
      query.path === undefined || Object.values(query).filter((value) => value !== undefined).length === 1,
    {
      message: 'path goes with no other filter',
    },
  )

export const moveBody = z.strictObject({ path: filePath })

/** A JSON merge patch: any object. Depth and keys were checked when the body was read. */
export const metadataPatch = z.custom<JsonObject>(
  (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'has to be an object of metadata fields',
) satisfies z.ZodType<JsonObject>
