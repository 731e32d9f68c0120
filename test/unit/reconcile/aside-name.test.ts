import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { unsafePathReason } from '../../../src/model/path.ts'
import { asidePath, conflictCopyPath, numberedPath } from '../../../src/reconcile/aside-name.ts'

const options = { instance: 'laptop', now: '2026-11-20T14:05:33.123Z' }

describe('names beside another file', () => {
  it('say whose content it is and when it was set aside, in UTC, before the extension', () => {
    expect(conflictCopyPath('dir.d/a.tar.gz', options)).toBe(
      'dir.d/a.tar (conflict from laptop 2026-11-20 14.05).gz',
    )
    expect(asidePath('Makefile', options)).toBe('Makefile (laptop 2026-11-20 14.05)')
    expect(asidePath('.hidden', { ...options, attempt: 3 })).toBe('.hidden (laptop 2026-11-20 14.05) 3')
    expect(numberedPath('a.txt', 1)).toBe('a.txt')
    expect(numberedPath('a.txt', 2)).toBe('a 2.txt')
  })

  it('hold no character that a file name may not hold, whatever the instance is called', () => {
    const path = asidePath('a.txt', { ...options, instance: ' ../my:host\n' })
    expect(path).toBe('a (..-my-host- 2026-11-20 14.05).txt')
    expect(asidePath('a', { ...options, instance: ' ' })).toBe('a (instance 2026-11-20 14.05)')
  })

  it('fit into 255 bytes, keep the extension, and stay safe and well-formed', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }),
        fc.string(),
        (stem, instance) => {
          const name = `${stem.replaceAll('/', '').replaceAll('\0', '').toWellFormed()}.txt`
          const path = conflictCopyPath(`dir/${name}`, { ...options, instance })
          expect(Buffer.byteLength(path.slice('dir/'.length))).toBeLessThanOrEqual(255)
          expect(path.startsWith('dir/')).toBe(true)
          expect(path.endsWith('.txt')).toBe(name !== '.txt')
          expect(unsafePathReason(path)).toBeNull()
        },
      ),
    )
  })
})
