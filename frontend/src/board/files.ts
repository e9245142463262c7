/** The root of the files in the shared data: file id -> address on this server. */
export const FILES = "files";
