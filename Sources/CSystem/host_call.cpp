/* The only C++ of the library: exceptions of the host's functions end here, because they cannot pass through Swift.
 *
 * A host may use another C++ runtime (libc++) than the library (libstdc++). An exception of a foreign runtime, or of
 * another language, is only taken by catch (...), and nothing can be read from it. */
extern "C" {
#include "fws_host_call.h"
#include "fws_log.h"

int32_t fws_log_level;
}

#include <cxxabi.h>
#include <pthread.h>

#include <cstdlib>
#include <exception>
#include <string>
#include <typeinfo>

namespace {

/* Tells how a function ended. The end of a thread is unwound like an exception: it runs destructors, and must not be
 * caught. */
class Teller {
public:
  Teller(fws_host_ended ended, void *context) : ended(ended), context(context) {}
  Teller(const Teller &) = delete;
  Teller &operator=(const Teller &) = delete;
  ~Teller() {
    if (!is_told) ended(context, FWS_HOST_LEFT, nullptr, nullptr);
  }

  void tell(fws_host_end end, const char *type = nullptr, const char *message = nullptr) {
    is_told = true;
    ended(context, end, type, message);
  }

private:
  fws_host_ended ended;
  void *context;
  bool is_told = false;
};

/* Sets whether the thread can be cancelled, and restores that later. */
class Cancellation {
public:
  explicit Cancellation(int state) { pthread_setcancelstate(state, &before); }
  Cancellation(const Cancellation &) = delete;
  Cancellation &operator=(const Cancellation &) = delete;
  ~Cancellation() { pthread_setcancelstate(before, nullptr); }

private:
  int before = PTHREAD_CANCEL_ENABLE;
};

/* The class of an exception comes from the runtime and not from typeid, which needs the virtual table of the exception
 * to name the class. It does not if the host was compiled with -fno-rtti. */
void tell_exception(Teller &teller, const char *message) {
  const std::type_info *type = abi::__cxa_current_exception_type();
  const char *name = type == nullptr ? nullptr : type->name();
  int status = 0;
  char *demangled = name == nullptr ? nullptr : abi::__cxa_demangle(name, nullptr, nullptr, &status);
  teller.tell(FWS_HOST_THREW, demangled == nullptr ? name : demangled, message);
  std::free(demangled);
}

template <typename Body> void call(const Body &body, Teller &teller) {
  try {
    body();
  } catch (const std::exception &exception) {
    tell_exception(teller, exception.what());
    return;
  } catch (const std::string &text) {
    teller.tell(FWS_HOST_THREW, nullptr, text.c_str());
    return;
  } catch (const char *text) {
    teller.tell(FWS_HOST_THREW, nullptr, text);
    return;
  } catch (const abi::__forced_unwind &) {
    throw;
  } catch (...) {
    teller.tell(FWS_HOST_THREW);
    return;
  }
  teller.tell(FWS_HOST_RETURNED);
}

} // namespace

extern "C" void fws_call_function(void (*function)(struct fw_call *, void *), struct fw_call *host_call, void *payload,
                                  fws_host_ended ended, void *context) {
  Teller teller(ended, context);
  call(
      [=] {
        Cancellation enabled(PTHREAD_CANCEL_ENABLE);
        function(host_call, payload);
      },
      teller);
}

extern "C" void fws_call_back(void (*callback)(void *), void *payload, fws_host_ended ended, void *context) {
  Cancellation disabled(PTHREAD_CANCEL_DISABLE);
  Teller teller(ended, context);
  call([=] { callback(payload); }, teller);
}

extern "C" void fws_call_log(void (*log)(int32_t, const char *, void *), int32_t level, const char *message,
                             void *payload) {
  static thread_local bool is_logging = false;
  if (is_logging) return;
  Cancellation disabled(PTHREAD_CANCEL_DISABLE);
  Teller teller([](void *, fws_host_end, const char *, const char *) {}, nullptr);
  is_logging = true;
  call([=] { log(level, message, payload); }, teller);
  is_logging = false;
}
