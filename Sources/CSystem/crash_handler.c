/*
 * The crash reporter of the Swift runtime installs handlers for seven signals when the runtime is loaded into a process
 * that has SWIFT_ROOT set, or a toolchain beside the program. Signals belong to the host. This definition replaces that
 * of the runtime, so that its member of libswiftCore.a is not linked. The result 0 stands for success, so that the
 * runtime prints no warning to the host's stderr.
 */
__attribute__((used)) int _swift_installCrashHandler(void);

int _swift_installCrashHandler(void) { return 0; }
