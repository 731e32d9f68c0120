/** All kinds of objects that are handed to a part of the product directly: thousands a second. */

import type { Kind } from './kind.ts'
import { answerKinds } from './kinds-answers.ts'
import { apiKinds } from './kinds-api.ts'
import { changesetKinds } from './kinds-changeset.ts'
import { checkpointKinds } from './kinds-checkpoint.ts'
import { fileKinds } from './kinds-files.ts'
import { nameKinds } from './kinds-names.ts'

export function decoderKinds(): Kind[] {
  return [
    ...changesetKinds(),
    ...nameKinds(),
    ...answerKinds(),
    ...checkpointKinds(),
    ...fileKinds(),
    ...apiKinds(),
  ]
}
