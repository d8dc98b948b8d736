{{/* What a schema cannot say in a sentence: every fault of the values at once, each with the way out. */}}
{{- define "dinggate.validate" -}}
{{- $faults := list -}}
{{- $config := .Values.config -}}
{{- if and (eq (default "none" $config.auth.mode) "none") (not $config.auth.insecure_allow_remote) -}}
{{- $faults = append $faults "config.auth.mode is none, so whoever reaches the port could use every app; keep others away from it (a NetworkPolicy, a mesh) and then set config.auth.insecure_allow_remote to true" -}}
{{- end -}}
{{- if not $config.apps -}}
{{- $faults = append $faults "config.apps is empty; name at least one DingTalk app: alias, app_key, app_secret_file, corp_id" -}}
{{- end -}}
{{- range $app := $config.apps -}}
{{- if hasKey $app "app_secret" -}}
{{- $faults = append $faults (printf "config.apps: app %q has an app_secret, which would end up in a ConfigMap; put it into a Secret, name that in secrets.existingSecret and set app_secret_file to /etc/dinggate/secrets/<key>" $app.alias) -}}
{{- end -}}
{{- if and (hasPrefix "/etc/dinggate/secrets/" (default "" $app.app_secret_file)) (not $.Values.secrets.existingSecret) -}}
{{- $faults = append $faults (printf "config.apps: app %q has its app_secret_file under /etc/dinggate/secrets, where nothing is mounted; set secrets.existingSecret" $app.alias) -}}
{{- end -}}
{{- end -}}
{{- range $key := list "grpc_addr" "http_addr" -}}
{{- if not (regexMatch ":[1-9][0-9]*$" (get $config.server $key | toString)) -}}
{{- $faults = append $faults (printf "config.server.%s must end in a port, as 0.0.0.0:50051 does" $key) -}}
{{- end -}}
{{- end -}}
{{- $durations := true -}}
{{- range $key := list "drain_delay" "drain_timeout" -}}
{{- $value := index $config.server $key -}}
{{- if and (not (kindIs "invalid" $value)) (not (regexMatch "^([0-9]+(h|m|s|ms))+$" (toString $value))) -}}
{{- $durations = false -}}
{{- $faults = append $faults (printf "config.server.%s is %v; write a duration as 30s or 1m30s, so that the grace period can be derived from it" $key $value) -}}
{{- end -}}
{{- end -}}
{{- if $durations -}}
{{- if le (include "dinggate.gracePeriod" . | int) (include "dinggate.drainSeconds" . | int) -}}
{{- $faults = append $faults (printf "terminationGracePeriodSeconds is %v, but draining may take %s s (config.server.drain_delay + drain_timeout); give more than that, or leave it empty" .Values.terminationGracePeriodSeconds (include "dinggate.drainSeconds" .)) -}}
{{- end -}}
{{- end -}}
{{- if $faults -}}
{{- fail (printf "\n\n- %s\n" (join "\n- " $faults)) -}}
{{- end -}}
{{- end -}}
