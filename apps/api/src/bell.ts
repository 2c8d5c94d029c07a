/** Rings as often as one likes, also while nobody listens; whoever waits for it next is woken once. */
export function createBell() {
  let isRinging = false;
  let wake: (() => void) | undefined;
  return {
    ring: (): void => {
      isRinging = true;
      wake?.();
    },
    rung: async (): Promise<void> => {
      if (!isRinging) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      isRinging = false;
      wake = undefined;
    },
  };
}
