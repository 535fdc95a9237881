/* Calls of functions of the host. They may be C++, and throw. */
#ifndef FWS_HOST_CALL_H
#define FWS_HOST_CALL_H

struct fw_call;

/* How a function of the host ended. */
typedef enum {
  FWS_HOST_RETURNED,
  FWS_HOST_THREW,
  /* The function ended its thread, by pthread_exit(), or the thread was cancelled in the function. */
  FWS_HOST_LEFT,
} fws_host_end;

/* Is told how a function ended. If it threw an exception, `type` is the exception's class, or NULL if that is not
 * known, and `message` is the exception's text, or NULL if it has none. Both are valid during the call only, and need
 * not be UTF-8. */
typedef void (*fws_host_ended)(void *_Nullable context, fws_host_end end, const char *_Nullable type,
                               const char *_Nullable message);

/* Calls a function that may end its thread, and then `ended`, in every case and with cancellation disabled. Between
 * the start of the thread and this call there must be no frame of Swift, because such a frame is not cleaned up when
 * the thread ends. */
void fws_call_function(void (*_Nonnull function)(struct fw_call *_Nullable call, void *_Nullable payload),
                       struct fw_call *_Nullable call, void *_Nullable payload, fws_host_ended _Nonnull ended,
                       void *_Nullable context);

/* Calls a callback, and then `ended`. The thread cannot be cancelled meanwhile. */
void fws_call_back(void (*_Nonnull callback)(void *_Nullable payload), void *_Nullable payload,
                   fws_host_ended _Nonnull ended, void *_Nullable context);

#endif
