/** Bodies of `/sync/…`. */
import { z } from 'zod'
import { filePath } from './path.ts'

const common = { force: z.boolean().optional(), dryRun: z.boolean().optional(), wait: z.boolean().optional() }
const paths = z.array(filePath).min(1).max(1_000).optional()

export const syncBody = z.strictObject({ ...common, full: z.boolean().optional(), paths })
export const fullBody = z.strictObject({ ...common, paths })
/**
 * `since` (a version or a time) bounds from below what the caller needs to see replicated. An incremental run takes
 * everything that is not replicated yet, however old it is, so every bound is met.
 */
export const incrementalBody = z.strictObject({
  ...common,
  paths,
  since: z.union([z.int().min(0), z.iso.datetime({ offset: true })]).optional(),
})
export const recoverBody = z.strictObject({ choice: z.enum(['republish', 'adopt']) })
export const verifyBody = z.strictObject({ deep: z.boolean().optional(), repair: z.boolean().optional() })
export const schedulerBody = z.strictObject({ mode: z.enum(['auto', 'manual']) })
