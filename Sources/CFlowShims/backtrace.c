/*
 * The Swift runtime installs handlers for seven signals when it is loaded into a
 * process that has SWIFT_ROOT set (or a toolchain beside the program): its crash
 * reporter. Signals are the host's. This definition takes the place of the
 * runtime's, so that its member of libswiftCore.a is not linked at all. 0 says that
 * all is well, so that the runtime prints no warning into the host's stderr.
 */
__attribute__((used)) int _swift_installCrashHandler(void);

int _swift_installCrashHandler(void) { return 0; }
