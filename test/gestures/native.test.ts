import { describe } from 'vitest'
import { followGestures } from './follow-gestures.ts'
import { gestures } from './gestures.ts'

describe('the index follows the disk by native watching', () => followGestures('native', gestures))
