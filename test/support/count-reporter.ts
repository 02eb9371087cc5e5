/** Prints the closing count `N passed, N failed, N skipped` alone on a line, for programs that read the outcome. */
interface Finished {
  children: { allTests(): Iterable<{ result(): { state: string } }> };
}

export class CountReporter {
  onTestRunEnd(modules: readonly Finished[], errors: readonly unknown[]): void {
    const count = { passed: 0, failed: errors.length, skipped: 0 };
    for (const module of modules) {
      let tests = 0;
      for (const test of module.children.allTests()) {
        tests++;
        const state = test.result().state;
        if (state === 'passed') count.passed++;
        else if (state === 'failed') count.failed++;
        else count.skipped++;
      }
      if (tests === 0) count.failed++; // a file that could not be collected
    }
    console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
  }
}
