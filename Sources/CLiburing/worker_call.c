/* The system call of a worker, which a signal ends before or in place of its effect, and how the handler of that signal does so. */
#include "signals.h"
#include "syslet_call.h"

/* As musl's cancellation points do: between the two labels a signal of ours ends the call before or in place of its effect. */
#if defined(__x86_64__) && defined(__LP64__)
extern const char syslet_worker_call_begin[], syslet_worker_call_end[];
__asm__(".text\n"
        ".hidden syslet_worker_call, syslet_worker_call_begin, syslet_worker_call_end\n"
        ".globl syslet_worker_call, syslet_worker_call_begin, syslet_worker_call_end\n"
        ".type syslet_worker_call, @function\n"
        "syslet_worker_call:\n"
        "  .cfi_startproc\n"
        "syslet_worker_call_begin:\n"
        "  movq %rdi, %rax\n"
        "  movq %rsi, %rdi\n"
        "  movq %rdx, %rsi\n"
        "  movq %rcx, %rdx\n"
        "  movq %r8, %r10\n"
        "  movq %r9, %r8\n"
        "  movq 8(%rsp), %r9\n"
        "  syscall\n"
        "syslet_worker_call_end:\n"
        "  ret\n"
        "  .cfi_endproc\n"
        ".size syslet_worker_call, .-syslet_worker_call\n"
        /* What a handler returns to: debuggers know it by these bytes. */
        ".hidden syslet_signal_return\n.globl syslet_signal_return\n"
        "  nop\n"
        "syslet_signal_return:\n"
        "  movq $15, %rax\n"
        "  syscall\n");
#define PROGRAM_COUNTER(context) ((context)->uc_mcontext.gregs[REG_RIP])
#define RESULT(context) ((context)->uc_mcontext.gregs[REG_RAX])
#elif defined(__aarch64__)
extern const char syslet_worker_call_begin[], syslet_worker_call_end[];
__asm__(".text\n"
        ".hidden syslet_worker_call, syslet_worker_call_begin, syslet_worker_call_end\n"
        ".globl syslet_worker_call, syslet_worker_call_begin, syslet_worker_call_end\n"
        ".type syslet_worker_call, %function\n"
        ".balign 4\n"
        "syslet_worker_call:\n"
        "  .cfi_startproc\n"
        "syslet_worker_call_begin:\n"
        "  mov x8, x0\n"
        "  mov x0, x1\n"
        "  mov x1, x2\n"
        "  mov x2, x3\n"
        "  mov x3, x4\n"
        "  mov x4, x5\n"
        "  mov x5, x6\n"
        "  svc #0\n"
        "syslet_worker_call_end:\n"
        "  ret\n"
        "  .cfi_endproc\n"
        ".size syslet_worker_call, .-syslet_worker_call\n");
#define PROGRAM_COUNTER(context) ((context)->uc_mcontext.pc)
#define RESULT(context) ((context)->uc_mcontext.regs[0])
#else
long syslet_worker_call(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5) {
  return syslet_call(nr, a0, a1, a2, a3, a4, a5);
}
#endif

#if defined(LEAVES_CALLS)
UNSANITIZED
void syslet_leave_call(ucontext_t *context) {
  uint64_t at = (uint64_t)PROGRAM_COUNTER(context), end = (uintptr_t)syslet_worker_call_end;
  /* Behind the call there is a result, which stands. */
  if (at < (uintptr_t)syslet_worker_call_begin || at >= end) return;
  PROGRAM_COUNTER(context) = (__typeof__(PROGRAM_COUNTER(context)))end;
  RESULT(context) = (__typeof__(RESULT(context)))SYSLET_CALL_LEFT;
}
#else
void syslet_leave_call(ucontext_t *context) { (void)context; }
#endif
