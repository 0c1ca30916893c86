/** How a tool says no: thrown where it is noticed, answered to the model as a result. */
import { failedResult, type ToolResult } from "../domain/tool.ts";
import { errorCode } from "../lib/error-code.ts";

/** Why a tool did not do what it was asked, in one line for the model. */
export class ToolFailure extends Error {
  override readonly name = "ToolFailure";
}

/** Why a tool stopped that was told to. */
export const CANCELLED_TEXT = "Cancelled by user";

/** What whoever cancelled a call gets. */
export const CANCELLED: ToolResult = {
  ok: false,
  output: "",
  error: CANCELLED_TEXT,
  metadata: { cancelled: true },
};

/** What systems and their file systems answer, in words. Any other error is a bug of ours. */
const SYSTEM_FAILURES: Record<string, string> = {
  EACCES: "Permission denied",
  EPERM: "Operation not permitted",
  EROFS: "Read-only file system",
  ENOSPC: "No space left on the device",
  EDQUOT: "Disk quota exceeded",
  ENAMETOOLONG: "The path is too long",
  ELOOP: "Too many symbolic links",
  EEXIST: "Something else has that name",
  ENOTDIR: "A part of the path is not a directory",
  EISDIR: "Is a directory",
  ENOENT: "Not found",
  EMFILE: "Too many open files",
  EBUSY: "In use",
  ENOTEMPTY: "Not empty",
  EXDEV: "On another file system",
  EIO: "The device does not answer as it should",
  EINVAL: "The file system does not take this",
  ENXIO: "Nothing is at its other end",
  ENODEV: "Nothing is at its other end",
  ENOTCONN: "The file system is not connected",
  EHOSTDOWN: "The file system is not connected",
  ETIMEDOUT: "The file system does not answer",
  ESTALE: "It was replaced on its server",
  EREMOTEIO: "The device does not answer as it should",
  EBADMSG: "The device does not answer as it should",
  EUCLEAN: "The file system is damaged",
  ENOKEY: "It is encrypted, and locked",
  EILSEQ: "The file system does not take such a name",
  EFBIG: "Larger than the file system takes",
  EOVERFLOW: "Larger than can be handled",
  EMLINK: "Too many links",
  ENFILE: "Too many open files",
  ENOMEM: "No memory left",
  EAGAIN: "In use",
  ETXTBSY: "In use: it is a program that runs",
  ENOSYS: "Not supported here",
  ENOTSUP: "Not supported here",
  EOPNOTSUPP: "Not supported here",
};

/** In words, and without the path, which may be one of the engine's own; null: the system has not answered so. */
export const systemFailure = (error: unknown): string | null =>
  SYSTEM_FAILURES[errorCode(error)] ?? null;

/** A tool's work with its failures as results. What was cancelled before it began is not begun. */
export async function answering(
  signal: AbortSignal,
  work: () => Promise<ToolResult>,
): Promise<ToolResult> {
  if (signal.aborted) return CANCELLED;
  try {
    return await work();
  } catch (error) {
    if (error instanceof ToolFailure) return failedResult(error.message);
    const reason = systemFailure(error);
    if (reason === null) throw error;
    return failedResult(reason);
  }
}
