internal import CFlowShims

/// Steps that the host runs itself.
extension WorkflowRun {
  func take(_ account: HostAccount) throws(FlowError) {
    guard case .handed = phase, self.account == nil else {
      throw FlowError(.invalid, "no step waits for an account of the host")
    }
    // Whoever waits for the run goes on with it.
    self.account = account
    timer?.stop()
  }

  func finishHanded(_ account: HostAccount, _ since: Double, _ started: Double) {
    guard let worker else { return finish(nil) }
    let step = resolved.steps[index]
    var end = CommandEnd(outcome: .exited, started: started)
    end.duration = fws_monotonic() - since
    end.exitCode = account.returncode < 0 ? nil : account.returncode
    if account.returncode < 0 {
      end.outcome = .signaled
      end.signal = 0 - account.returncode
    }
    // It is there already, unless the host says otherwise.
    if isCancelled, account.returncode != 0 { end.outcome = .cancelled }
    end.stdout = Output(secrets.masked(account.stdout))
    end.stderr = Output(secrets.masked(account.stderr))
    end.exception = account.exception
    end.value = account.value
    if let exception = account.exception {
      end.explanation = "raised \(exception.type): \(exception.message)"
    }
    end = end.masked(by: secrets, of: step)
    if account.returncode == 0, let argument = step.code.argument, let value = account.value {
      context.set(argument, value)
    }
    isResumable = account.isResumable
    publish(from: step)
    finishStep(
      StepResult(step: step, worker: worker, end: end, limit: settings.limit, started: started, duration: end.duration))
  }
}
