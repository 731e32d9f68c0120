/**
 * The end of a prepared statement that is given how many rows at most. SQLite plans with the number itself where a bare
 * parameter stands there, and so compiles the statement anew each time that another is bound; a sum it takes as it is.
 */
export const limit = 'LIMIT 0 + ?'
