/* SPDX-License-Identifier: Apache-2.0 */
/* Compiler attributes and small macros that every file may use. No state, no functions
 * beyond inline arithmetic. */
#ifndef LB_BASE_BASE_H
#define LB_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LB_MUST_USE __attribute__((warn_unused_result))
#define LB_PRINTF(fmt_index, first_arg) \
  __attribute__((format(printf, fmt_index, first_arg)))
#define LB_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define LB_CONTAINER_OF(ptr, type, member) \
  ((type *)((char *)(ptr) - offsetof(type, member)))
#define LB_MIN(a, b) ((a) < (b) ? (a) : (b))
#define LB_MAX(a, b) ((a) > (b) ? (a) : (b))

/* Clang's thread-safety analysis; empty elsewhere. */
#if defined(__clang__)
#define LB_TSA(x) __attribute__((x))
#else
#define LB_TSA(x)
#endif
#define LB_CAPABILITY(name) LB_TSA(capability(name))
/* Says which mutex of the same struct guards a member. In C a member's attribute cannot
 * name its siblings, so this is for readers; the compiler checks LB_REQUIRES of the
 * functions. */
#define LB_GUARDED_BY(m)
#define LB_REQUIRES(...) LB_TSA(requires_capability(__VA_ARGS__))
#define LB_EXCLUDES(...) LB_TSA(locks_excluded(__VA_ARGS__))
#define LB_ACQUIRE(...) LB_TSA(acquire_capability(__VA_ARGS__))
#define LB_RELEASE(...) LB_TSA(release_capability(__VA_ARGS__))
#define LB_NO_TSA LB_TSA(no_thread_safety_analysis)

/* Debug builds (LB_DEBUG=1) stop at a broken invariant; release builds compile it away,
 * so code must stay memory-safe without it. */
#if defined(LB_DEBUG) && LB_DEBUG
#define LB_ASSERT(expr) ((expr) ? (void)0 : lb_assert_failed(#expr, __FILE__, __LINE__))
#else
#define LB_ASSERT(expr) ((void)sizeof(!(expr)))
#endif
_Noreturn void lb_assert_failed(const char *expr, const char *file, int line);

/* Overflow-checked arithmetic on sizes: true when the sum/product fits. */
static inline bool lb_size_add(size_t a, size_t b, size_t *out) {
  return !__builtin_add_overflow(a, b, out);
}
static inline bool lb_size_mul(size_t a, size_t b, size_t *out) {
  return !__builtin_mul_overflow(a, b, out);
}

#endif
