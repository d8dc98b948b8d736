{{/* What a schema cannot say in a sentence: every fault of the values at once, each with the way out. */}}
{{- define "dinggate.validate" -}}
{{- $faults := concat
  (include "dinggate.faults.callers" . | fromJsonArray)
  (include "dinggate.faults.secrets" . | fromJsonArray)
  (include "dinggate.faults.server" . | fromJsonArray)
  (include "dinggate.faults.objects" . | fromJsonArray)
-}}
{{- if $faults -}}
{{- fail (printf "\n\n- %s\n" (join "\n- " $faults)) -}}
{{- end -}}
{{- end -}}

{{- define "dinggate.faults.callers" -}}
{{- $faults := list -}}
{{- if .Values.sandbox.enabled -}}
{{- if or .Values.config.apps (not (include "dinggate.open" .)) (include "dinggate.tls" .) -}}
{{- $faults = append $faults "sandbox.enabled starts a gateway with an app of its own, without TLS and without authentication; take config.apps, config.auth and tls out, or the sandbox" -}}
{{- end -}}
{{- else -}}
{{- if and (include "dinggate.open" .) (not .Values.config.auth.insecure_allow_remote) -}}
{{- $faults = append $faults "config.auth.mode is none, so whoever reaches the port could use every app; name callers (mtls, jwt or static), or keep others away from it (networkPolicy.enabled, a mesh) and then set config.auth.insecure_allow_remote to true" -}}
{{- end -}}
{{- if not .Values.config.apps -}}
{{- $faults = append $faults "config.apps is empty; name at least one DingTalk app: alias, app_key, app_secret_file, corp_id" -}}
{{- end -}}
{{- end -}}
{{- toJson $faults -}}
{{- end -}}

{{- define "dinggate.faults.secrets" -}}
{{- $faults := list -}}
{{- range $app := .Values.config.apps -}}
{{- if hasKey $app "app_secret" -}}
{{- $faults = append $faults (printf "config.apps: app %q has an app_secret, which would end up in a ConfigMap; put it into a Secret, name that in secrets.existingSecret and set app_secret_file to /etc/dinggate/secrets/<key>" $app.alias) -}}
{{- end -}}
{{- end -}}
{{- if contains "@" (dig "store" "url" "" .Values.config) -}}
{{- $faults = append $faults "config.store.url has a user or a password, which would end up in a ConfigMap; put the URL into a Secret and name that in redis.existingSecret" -}}
{{- end -}}
{{- $mounted := include "dinggate.secrets" . | fromYaml -}}
{{- if .Values.auth.kubernetes.enabled }}{{ $_ := set $mounted "kubernetes" true }}{{ end -}}
{{- range .Values.extraVolumeMounts }}{{ $_ := set $mounted (base (default "" .mountPath)) true }}{{ end -}}
{{- $file := include "dinggate.configFile" . -}}
{{- range $folder, $value := dict
  "secrets" "secrets.existingSecret"
  "redis" "redis.existingSecret"
  "tokens" "auth.staticTokens.existingSecret"
  "jwks" "auth.jwks.existingSecret"
  "callbacks" "events.callbacks.existingSecret"
  "kubernetes" "auth.kubernetes.enabled"
  "tls" "tls.existingSecret"
  "client-ca" "tls.clientCa.existingSecret"
-}}
{{- if and (contains (printf "/etc/dinggate/%s/" $folder) $file) (not (hasKey $mounted $folder)) -}}
{{- $faults = append $faults (printf "config names a file under /etc/dinggate/%s, where nothing is mounted; set %s" $folder $value) -}}
{{- end -}}
{{- end -}}
{{- if and (hasPrefix "/var/log/dinggate/" (dig "audit" "path" "" .Values.config)) (not .Values.audit.volume) -}}
{{- $faults = append $faults "config.audit.path is under /var/log/dinggate, where nothing is mounted; set audit.volume, or log to standard output with \"-\"" -}}
{{- end -}}
{{- if and .Values.events.callbacks.existingSecret (not (dig "events" "callback" dict .Values.config)) -}}
{{- $faults = append $faults "events.callbacks.existingSecret has secrets of no app; name the apps as config.events.callback.<alias>, each with its owner_keys" -}}
{{- end -}}
{{- toJson $faults -}}
{{- end -}}

{{- define "dinggate.faults.server" -}}
{{- $faults := list -}}
{{- range $key := list "grpc_addr" "http_addr" -}}
{{- if not (regexMatch ":[1-9][0-9]*$" (get $.Values.config.server $key | toString)) -}}
{{- $faults = append $faults (printf "config.server.%s must end in a port, as 0.0.0.0:50051 does" $key) -}}
{{- end -}}
{{- end -}}
{{- $callbackAddr := dig "events" "callback_addr" "" .Values.config -}}
{{- if and $callbackAddr (not (regexMatch ":[1-9][0-9]*$" $callbackAddr)) -}}
{{- $faults = append $faults "config.events.callback_addr must end in a port, as 0.0.0.0:8081 does, or be empty" -}}
{{- end -}}
{{- $durations := true -}}
{{- range $key := list "drain_delay" "drain_timeout" -}}
{{- $value := index $.Values.config.server $key -}}
{{- if and (not (kindIs "invalid" $value)) (not (regexMatch "^([0-9]+(h|m|s|ms))+$" (toString $value))) -}}
{{- $durations = false -}}
{{- $faults = append $faults (printf "config.server.%s is %v; write a duration as 30s or 1m30s, so that the grace period can be derived from it" $key $value) -}}
{{- end -}}
{{- end -}}
{{- if $durations -}}
{{- $least := add 6 (include "dinggate.drainSeconds" .) -}}
{{- if lt (include "dinggate.gracePeriod" . | int64) $least -}}
{{- $faults = append $faults (printf "terminationGracePeriodSeconds is %v, but draining may take %s s (preStopSleepSeconds + config.server.drain_delay + drain_timeout), and what it has learned must be sent after that; give at least %d, or leave it empty" .Values.terminationGracePeriodSeconds (include "dinggate.drainSeconds" .) $least) -}}
{{- end -}}
{{- end -}}
{{- with .Values.tls -}}
{{- if and .existingSecret .certManager.enabled -}}
{{- $faults = append $faults "tls.existingSecret and tls.certManager.enabled both bring a certificate; keep one of them" -}}
{{- end -}}
{{- if and .certManager.enabled (not .certManager.issuerRef.name) -}}
{{- $faults = append $faults "tls.certManager.enabled needs the issuer: set tls.certManager.issuerRef.name" -}}
{{- end -}}
{{- if and .clientCa.existingSecret (not (include "dinggate.tls" $)) -}}
{{- $faults = append $faults "tls.clientCa.existingSecret asks callers for certificates, but the port speaks plaintext; set tls.existingSecret or tls.certManager.enabled" -}}
{{- end -}}
{{- end -}}
{{- toJson $faults -}}
{{- end -}}

{{- define "dinggate.faults.objects" -}}
{{- $faults := list -}}
{{- with .Values.autoscaling -}}
{{- if .enabled -}}
{{- if gt (int .minReplicas) (int .maxReplicas) -}}
{{- $faults = append $faults "autoscaling.minReplicas is more than autoscaling.maxReplicas" -}}
{{- end -}}
{{- if not (or .targetCPU .targetMemory .metrics) -}}
{{- $faults = append $faults "autoscaling has nothing to go by: set targetCPU, targetMemory or metrics" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.grpcRoute.enabled (not .Values.grpcRoute.parentRefs) -}}
{{- $faults = append $faults "grpcRoute.enabled needs a gateway: set grpcRoute.parentRefs" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- $faults = append $faults "ingress.enabled needs a host name: set ingress.hosts" -}}
{{- end -}}
{{- if not (include "dinggate.callbackPort" .) -}}
{{- range $host := .Values.ingress.hosts -}}
{{- range .paths -}}
{{- if eq .port "callback" -}}
{{- $faults = append $faults (printf "ingress: %s%s leads to the port callback, which is not there; set config.events.callback_addr, or take the port http" $host.host .path) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $faults -}}
{{- end -}}
