/** Why there is no page, where trying again may help. */
import { ToolFailure } from "../failure.ts";

/** Nobody answered, though somebody may be there. */
export class NotReached extends ToolFailure {}
