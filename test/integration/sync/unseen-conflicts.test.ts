import { expect, test } from 'vitest'
import { converge, cut, openPair, type Replica, syncInTurn } from '../../support/replica.ts'

test('a deletion on disk that no scan had seen when its conflict came in does not take away the side that nobody saw', async () => {
  for (const kind of ['create', 'edit'] as const) {
    const { ann, bob } = await openPair(kind === 'edit' ? { z: 'base' } : { other: 'o' })
    ann.write('z', 'by ann')
    bob.write('z', 'by bob')
    await syncInTurn(ann)
    // Bob's run has sent his side and is about to tell the conflict; he deletes the file before he hears of it.
    bob.network = (request, send) => {
      if (request.method === 'MOVE' && request.name.startsWith('version/') && bob.read('z') !== null)
        bob.remove('z')
      return send(request)
    }
    await bob.sync()
    bob.network = (request, send) => send(request)
    await converge(ann, bob)
    expect(ann.read('z'), kind).toBe('by ann')
    expect(bob.read('z'), kind).toBe('by ann')
    expect(bob.told('file.rescued'), kind).toMatchObject([{ path: 'z', rule: 'R6-edit-wins-restore' }])
  }
})

test('a deletion that no scan had seen does not take away an edit of the other side that comes in', async () => {
  const { ann, bob } = await openPair({ z: 'base' })
  ann.write('z', 'by ann')
  bob.write('z', 'by bob')
  await syncInTurn(ann, bob, ann)
  ann.write('z', 'by ann, again')
  await syncInTurn(ann)
  // Bob has looked at his files, and hears of it now.
  bob.network = (request, send) => {
    if (request.method === 'GET' && request.name.startsWith('changes/') && bob.read('z') !== null)
      bob.remove('z')
    return send(request)
  }
  await bob.sync()
  bob.network = (request, send) => send(request)
  await converge(ann, bob)
  for (const replica of [ann, bob]) expect(replica.read('z')).toBe('by ann, again')
  expect(bob.told('file.rescued')).toMatchObject([{ path: 'z', rule: 'R6-edit-wins-restore' }])
})

test('a deletion while the commit that opens the conflict is in doubt does not take away the side that nobody saw', async () => {
  for (const kind of ['create', 'edit'] as const) {
    const { ann, bob } = await openPair(kind === 'edit' ? { z: 'base' } : { other: 'o' })
    ann.write('z', 'by ann')
    bob.write('z', 'by bob')
    await syncInTurn(ann)
    bob.network = async (request, send) => {
      const response = await send(request)
      if (request.method !== 'MOVE' || !request.name.startsWith('version/')) return response
      bob.network = async () => {
        throw cut()
      }
      throw cut()
    }
    expect((await bob.sync()).outcome, kind).toBe('unreachable')
    bob.network = (request, send) => send(request)
    expect(bob.conflicts(), kind).toEqual([])
    bob.remove('z')
    await converge(bob, ann)
    expect(ann.read('z'), kind).toBe('by ann')
    expect(bob.read('z'), kind).toBe('by ann')
  }
})

/** Carried out between Bob's look at his files and his hearing of a new side of the conflict. */
async function syncWith(bob: Replica, act: () => void): Promise<void> {
  let isDone = false
  bob.network = (request, send) => {
    if (request.method === 'GET' && request.name.startsWith('changes/') && !isDone) {
      isDone = true
      act()
    }
    return send(request)
  }
  await bob.sync()
  bob.network = (request, send) => send(request)
}

test('a file that made room for a folder before another side of its conflict came in does not take that away', async () => {
  const { ann, bob } = await openPair({ z: 'base' })
  ann.write('z', 'by ann')
  bob.write('z', 'by bob')
  await syncInTurn(ann, bob, ann)
  ann.write('z', 'by ann, again')
  await syncInTurn(ann)
  await syncWith(bob, () => {
    bob.remove('z')
    bob.write('z/in', 'new')
  })
  await converge(ann, bob)
  for (const replica of [ann, bob]) {
    const texts = Object.values(replica.tree())
    expect(texts).toContain('by ann, again')
    expect(texts).toContain('new')
  }
  expect(bob.told('file.rescued')[0]).toMatchObject({ path: 'z', rule: 'R6-edit-wins-restore' })
})

test('whether a file was deleted before another side of its conflict came in is told once it can be looked at', async () => {
  const { ann, bob } = await openPair({ z: 'base' })
  ann.write('z', 'by ann')
  bob.write('z', 'by bob')
  await syncInTurn(ann, bob, ann)
  ann.write('z', 'by ann, again')
  await syncInTurn(ann)
  await syncWith(bob, () => {
    bob.remove('z')
    bob.disk.look = async (path) => ({ kind: 'unknown', path, why: 'unreadable' })
  })
  delete bob.disk.look
  await converge(bob, ann)
  for (const replica of [ann, bob]) expect(replica.read('z')).toBe('by ann, again')
})

test('a deletion after the conflict was told resolves it, as before', async () => {
  const { ann, bob } = await openPair({ z: 'base' })
  ann.write('z', 'by ann')
  bob.write('z', 'by bob')
  await syncInTurn(ann, bob)
  expect(bob.conflict().path).toBe('z')
  bob.remove('z')
  await converge(bob, ann)
  expect(ann.read('z')).toBeNull()
})
