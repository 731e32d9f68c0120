/** What a simulation that proves something has to run through, besides all decision rules: a name, a file, a text in it. */
export const branches: readonly (readonly [name: string, file: string, text: string])[] = []
