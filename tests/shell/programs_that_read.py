"""Commands in which a program reads a value as more than text; few hosts have all of them."""

_COMMANDS = r"""
sqlite3 "<F-X>" ;;; sqlite3 <F-X> "select 1" ;;; sqlite3 d "<F-X>" ;;; python3 <F-X>
;;;
python3 -m <F-X> ;;; python3 -u "<F-X>" ;;; perl <F-X> ;;; perl -e "<F-X>"
;;;
perl -ne "print if /<F-X>/" /etc/hostname ;;; sh <F-X> ;;; sh "<F-X>.sh" ;;; sh /opt/<F-X>
;;;
. <F-X> ;;; . /opt/<F-X>.conf ;;; . "/opt/<F-X>" ;;; source <F-X> ;;; bash <F-X>
;;;
bash --rcfile <F-X> -i ;;; bash --init-file <F-X> -i ;;; ./<F-X> ;;; /opt/<F-X> ;;; /opt/x<F-X>
;;;
"/opt/hooks/<F-X>" a ;;; /opt/<F-X>/run ;;; x<F-X> ;;; awk -f <F-X>
;;;
awk -v x="<F-X>" 1 /etc/hostname ;;; awk 1 "<F-X>" ;;; u=<F-X> awk 'BEGIN{system(ENVIRON["u"])}'
;;;
gawk -e "<F-X>" ;;; sed -n "/<F-X>/p" /etc/hostname ;;; sed "s/<F-X>/x/" /etc/hostname
;;;
sed -e "<F-X>" /etc/hostname ;;; find . -exec <F-X> \; ;;; find . -name "<F-X>" -exec echo {} \;
;;;
find . -name "*<F-X>*" -delete ;;; fd x -x <F-X> ;;; echo a | xargs <F-X>
;;;
echo a | xargs -I{} sh -c "echo <F-X> {}" ;;; echo <F-X> | xargs ;;; xargs -a <F-X> sh
;;;
printf "%s\0" <F-X> | xargs -0 env ;;; printf "%s\0" <F-X> | xargs -0 -n1 sort
;;;
printf "%s\n" <F-X> | xargs --arg-file=- sh -c ;;; env -S "<F-X>" ;;; env -S "sh -c <F-X>"
;;;
env -S"<F-X>" ;;; LD_PRELOAD=<F-X> ls ;;; LD_PRELOAD=/lib/<F-X>.so ls ;;; /usr/bin/env <F-X>
;;;
/usr/bin/env A=b sh -c "<F-X>" ;;; ssh h <F-X> ;;; ssh h "block <F-X>" ;;; ssh -p 22 h -- <F-X>
;;;
scp -S <F-X> x h: ;;; scp -o "ProxyCommand=<F-X>" x h: ;;; sftp -b <F-X> h ;;; sftp <F-X>
;;;
sftp -S <F-X> h ;;; rsync -e <F-X> h:x . ;;; rsync -e "ssh -l <F-X>" h:x .
;;;
rsync --rsh="<F-X>" h:x . ;;; su -c <F-X> ;;; su -c "<F-X>" root ;;; su - u -c "<F-X>"
;;;
runuser -u www -- <F-X> ;;; runuser -u www -- tell <F-X> ;;; runuser -l u -c "<F-X>"
;;;
sudo sh -c <F-X> ;;; sudo sh -c "echo <F-X>" ;;; sudo -u <F-X> true ;;; sudoedit <F-X>
;;;
doas -u u <F-X> ;;; pkexec <F-X> ;;; pkexec --user u <F-X>
;;;
machinectl shell x@ /bin/sh -c "<F-X>" ;;; machinectl shell <F-X> ;;; systemd-run <F-X>
;;;
systemd-run --on-active=5 <F-X> ;;; systemd-run -p "ExecStop=<F-X>" true ;;; systemctl start <F-X>
;;;
systemctl start "x@<F-X>" ;;; systemctl set-environment X=<F-X> ;;; service <F-X> restart
;;;
service x <F-X> ;;; /etc/init.d/<F-X> restart ;;; invoke-rc.d <F-X> start
;;;
rc-service <F-X> start ;;; run-parts <F-X> ;;; run-parts --arg=<F-X> d
;;;
start-stop-daemon --exec <F-X> ;;; start-stop-daemon -S -x <F-X> ;;; supervisorctl start <F-X>
;;;
daemonize <F-X> ;;; dtach -n s <F-X> ;;; screen -dmS x <F-X> ;;; screen -dm sh -c "<F-X>"
;;;
screen -S x -X stuff "<F-X>" ;;; tmux new -d "<F-X>" ;;; tmux send-keys -t x "<F-X>" Enter
;;;
tmux display-message "<F-X>" ;;; nohup <F-X> ;;; setsid <F-X> ;;; setsid -f <F-X>
;;;
ionice -c3 <F-X> ;;; ionice -c 3 -n 7 <F-X> ;;; nice -n10 <F-X> ;;; nice -10 <F-X>
;;;
nice --adjustment=5 <F-X> ;;; timeout 5s <F-X> ;;; timeout -s9 5 <F-X> ;;; timeout -k 5 10 <F-X>
;;;
flock l <F-X> ;;; flock l -c <F-X> ;;; flock l -c "echo <F-X>" ;;; chroot / <F-X>
;;;
chroot --userspec=u / <F-X> ;;; chroot <F-X> sh ;;; unshare -n <F-X>
;;;
unshare --map-root-user <F-X> ;;; nsenter -t 1 -m <F-X> ;;; nsenter -t1 -a sh -c <F-X>
;;;
nsenter --net=/run/x <F-X> ;;; ip netns exec x <F-X> ;;; ip netns exec x sh -c <F-X>
;;;
ip netns exec <F-X> true ;;; taskset 1 <F-X> ;;; taskset -c 1 <F-X> ;;; chrt -f 5 <F-X>
;;;
chrt 5 <F-X> ;;; stdbuf -oL <F-X> ;;; stdbuf -o L <F-X> ;;; strace -f <F-X>
;;;
strace -o <F-X> true ;;; strace -o "|<F-X>" true ;;; ltrace <F-X> ;;; gdb -ex "<F-X>"
;;;
gdb -batch -ex "shell <F-X>" ;;; gdb -x <F-X> ;;; valgrind <F-X> ;;; perf record <F-X>
;;;
time <F-X> ;;; /usr/bin/time -v <F-X> ;;; /usr/bin/time -o <F-X> true ;;; watch <F-X>
;;;
watch -n1 "<F-X>" ;;; watch -x <F-X> ;;; script -c <F-X> /dev/null ;;; script -qc "<F-X>" /dev/null
;;;
script -q /dev/null <F-X> ;;; expect -c "<F-X>" ;;; expect -c "spawn <F-X>" ;;; expect <F-X>
;;;
at now <<< "<F-X>" ;;; at -f <F-X> now ;;; at "<F-X>" ;;; crontab <F-X>
;;;
(crontab -l; echo "* * * * * <F-X>") | crontab - ;;; crontab -u <F-X> x ;;; busybox sh -c <F-X>
;;;
busybox <F-X> ;;; busybox awk "<F-X>" ;;; toybox <F-X> ;;; cpulimit -l 5 <F-X>
;;;
cpulimit -l 5 -- <F-X> ;;; proxychains4 <F-X> ;;; torify <F-X> ;;; firejail --quiet <F-X>
;;;
parallel <F-X> ::: a ;;; parallel "echo {}" ::: <F-X> ;;; parallel echo ::: <F-X> ;;; make <F-X>
;;;
make -C <F-X> ;;; make -f <F-X> ;;; X=<F-X> make ;;; MAKEFLAGS=<F-X> make ;;; m4 -D x=<F-X>
;;;
m4 <F-X> ;;; socat - EXEC:<F-X> ;;; socat - "SYSTEM:<F-X>" ;;; socat "<F-X>" - ;;; nc -e <F-X> h 1
;;;
nc -c <F-X> h 1 ;;; ncat --sh-exec <F-X> h ;;; ncat -e <F-X> h ;;; ncat --lua-exec <F-X>
;;;
openssl req -config <F-X> ;;; openssl s_client -engine <F-X> ;;; curl -K <F-X>
;;;
curl --config <F-X> ;;; curl <F-X> ;;; wget -i <F-X> ;;; wget <F-X> ;;; wget "http://h/<F-X>"
;;;
aria2c -i <F-X> ;;; aria2c --on-download-complete=<F-X> u ;;; lynx -source <F-X>
;;;
lynx -cmd_script=<F-X> ;;; links <F-X> ;;; w3m <F-X> ;;; git clone <F-X> ;;; git clone <F-X> d
;;;
git -C <F-X> status ;;; GIT_SSH=<F-X> git fetch ;;; GIT_EDITOR=<F-X> git commit
;;;
hg --config <F-X> ;;; svn checkout <F-X> ;;; svn --config-option <F-X> ;;; cvs -d <F-X> co
;;;
tar -cf x.tar <F-X> ;;; tar -xf <F-X> ;;; tar xf "<F-X>" ;;; zip -T x y -TT <F-X>
;;;
zip -TT "<F-X>" -T x y ;;; zip -TT"<F-X>" x ;;; unzip <F-X> ;;; unzip -d <F-X> x
;;;
cpio -o < <F-X> ;;; cpio -i --rsh-command=<F-X> ;;; cpio -F <F-X> ;;; nmap --script=<F-X> h
;;;
nmap --script "<F-X>" h ;;; nmap --script-args="<F-X>" h ;;; tcpdump -z <F-X> -w x
;;;
tcpdump -F <F-X> ;;; tshark -X "<F-X>" ;;; vim -c "<F-X>" ;;; vim -c "%s/x/<F-X>/" x
;;;
vim +"<F-X>" x ;;; vi <F-X> ;;; ex -c "<F-X>" x ;;; ed <F-X> ;;; emacs --eval "<F-X>"
;;;
emacs -batch -l <F-X> ;;; emacs <F-X> ;;; less "+<F-X>" x ;;; less "+!<F-X>" x ;;; less -k <F-X> x
;;;
LESSOPEN="|<F-X>" less x ;;; LESSOPEN="| cat <F-X>" less x ;;; LESS=<F-X> less x ;;; more +/<F-X> x
;;;
man -P <F-X> ls ;;; man -H<F-X> ls ;;; man --pager=<F-X> ls ;;; PAGER=<F-X> man ls
;;;
MANPAGER="<F-X>" man ls ;;; view <F-X> ;;; mail -s x <F-X> ;;; mail -s x "<F-X>@h"
;;;
mail -f <F-X> ;;; mailx -S "<F-X>" r ;;; mailx -S sendmail=<F-X> r ;;; mutt -e "<F-X>"
;;;
mutt -F <F-X> ;;; mutt -H <F-X> ;;; sendmail -C <F-X> r ;;; sendmail -X <F-X> r
;;;
sendmail -O<F-X> ;;; exim -be "<F-X>" ;;; exim -C <F-X> ;;; exim4 -be <F-X> ;;; msmtp -C <F-X> r
;;;
msmtp --passwordeval=<F-X> r ;;; systemd-cat <F-X> ;;; systemd-cat -t x <F-X>
;;;
jq ".x=\"<F-X>\"" f ;;; jq --arg x "<F-X>" . f ;;; jq -n --arg x <F-X> '{x:$x}'
;;;
yq -i ".x=\"<F-X>\"" f ;;; xmlstarlet ed -u x -v "<F-X>" f ;;; xsltproc <F-X> f ;;; bc <<< "<F-X>"
;;;
dc -e "<F-X>" ;;; bc <F-X> ;;; dc <F-X> ;;; useradd -p x -s <F-X> u ;;; grep -f <F-X> f
;;;
rg --pre <F-X> x ;;; ag --pager <F-X> x ;;; ack --pager=<F-X> x ;;; rg --hostname-bin=<F-X> x
;;;
fzf --preview "<F-X>" ;;; file -m <F-X> x ;;; file -f <F-X> ;;; sort --compress-program=<F-X> x
;;;
split --filter=<F-X> x ;;; split --filter "<F-X>" x ;;; csplit x "/<F-X>/" ;;; csplit -f <F-X> x 1
;;;
patch < <F-X> ;;; patch -i <F-X> ;;; patch <F-X> ;;; install --strip-program=<F-X> -s x y
;;;
mount <F-X> ;;; mount -o <F-X> a b ;;; mount -t <F-X> a b ;;; umount <F-X> ;;; dd if=<F-X>
;;;
dd of=<F-X> ;;; dd if=x of="<F-X>" ;;; logrotate <F-X> ;;; logrotate -f "<F-X>"
;;;
ldconfig -f <F-X> ;;; ld.so <F-X> ;;; /lib64/ld-linux-x86-64.so.2 <F-X> ;;; insmod <F-X>
;;;
modprobe <F-X> ;;; modprobe -C <F-X> x ;;; sysctl -p <F-X> ;;; sysctl -w "<F-X>"
;;;
sysctl kernel.core_pattern="<F-X>" ;;; mysql -e "select '<F-X>'" ;;; mysql <F-X> ;;; mysql < <F-X>
;;;
psql -c "<F-X>" ;;; psql -f <F-X> ;;; psql -v x="<F-X>" ;;; redis-cli set x <F-X>
;;;
redis-cli set x "<F-X>" ;;; redis-cli eval "<F-X>" 0 ;;; mongo --eval "<F-X>" ;;; mongosh <F-X>
;;;
influx -execute "<F-X>" ;;; ldapsearch "(uid=<F-X>)" ;;; ldapsearch "uid=<F-X>" ;;; nsupdate <F-X>
;;;
rrdtool update x <F-X> ;;; rrdtool graph <F-X> ;;; gnuplot -e "<F-X>" ;;; gnuplot <F-X>
;;;
R -e "<F-X>" ;;; Rscript <F-X> ;;; octave --eval "<F-X>" ;;; lua -e "<F-X>" ;;; lua <F-X>
;;;
lua -l <F-X> ;;; node -e "<F-X>" ;;; node <F-X> ;;; node -r <F-X> x ;;; ruby -e "<F-X>"
;;;
ruby <F-X> ;;; ruby -r<F-X> -e 1 ;;; php -r "<F-X>" ;;; php <F-X> ;;; php -f <F-X> ;;; tclsh <F-X>
;;;
wish <F-X> ;;; go run <F-X> ;;; java -jar <F-X> ;;; java -cp <F-X> X ;;; java -D<F-X> X
;;;
gcc <F-X> ;;; gcc -o <F-X> x ;;; gcc -B<F-X> x ;;; cargo run <F-X> ;;; npm run <F-X>
;;;
npm install <F-X> ;;; npx <F-X> ;;; yarn <F-X> ;;; pip install <F-X> ;;; pipx run <F-X>
;;;
uvx <F-X> ;;; gem install <F-X> ;;; cpan <F-X> ;;; apt-get install <F-X>
;;;
apt-get -o <F-X> update ;;; apt -o "<F-X>" update ;;; dpkg -i <F-X> ;;; dpkg --pre-invoke=<F-X>
;;;
rpm -i <F-X> ;;; rpm --eval "<F-X>" ;;; rpm -E "<F-X>" ;;; yum install <F-X> ;;; dnf install <F-X>
;;;
apk add <F-X> ;;; pacman -S <F-X> ;;; snap run <F-X> ;;; flatpak run <F-X> ;;; docker exec c <F-X>
;;;
docker exec -it c <F-X> ;;; docker exec -u root c <F-X> ;;; docker-compose exec c <F-X>
;;;
docker-compose exec -T c sh -c <F-X> ;;; podman exec c <F-X> ;;; podman exec -it c sh -c <F-X>
;;;
kubectl exec p -- <F-X> ;;; kubectl exec -n x p -c y -- <F-X> ;;; kubectl exec p -- sh -c <F-X>
;;;
lxc exec c -- <F-X> ;;; lxc-attach -n c -- <F-X> ;;; pct exec 1 -- <F-X> ;;; jexec 1 <F-X>
;;;
vagrant ssh -c <F-X> ;;; vzctl exec 1 <F-X> ;;; virsh <F-X> ;;; qm guest exec 1 <F-X>
;;;
ansible all -m shell -a "<F-X>" ;;; ansible-playbook <F-X> ;;; ansible-playbook -e "x=<F-X>" p
;;;
salt "*" cmd.run "<F-X>" ;;; salt <F-X> x ;;; puppet apply -e "<F-X>" ;;; chef-apply -e "<F-X>"
;;;
pssh -h l "<F-X>" ;;; pdsh -w h <F-X> ;;; clush -w h "<F-X>" ;;; mosh h -- <F-X> ;;; rsh h <F-X>
;;;
sshpass -p x ssh h <F-X> ;;; sshpass -f <F-X> ssh h ;;; sshpass -p <F-X> ssh h ;;; autossh h <F-X>
;;;
dbclient h <F-X> ;;; plink h <F-X> ;;; lftp -c "<F-X>" ;;; lftp -e "<F-X>" h ;;; lftp -f <F-X>
;;;
telnet <F-X> ;;; smbclient //h/x -c "<F-X>" ;;; smbclient -c "!<F-X>" //h ;;; rpcclient -c "<F-X>"
;;;
nrpe -c <F-X> ;;; check_by_ssh -C "<F-X>" ;;; ntfy publish --cmd <F-X>
;;;
dbus-send x string:"<F-X>" ;;; busctl call x "<F-X>" ;;; gdbus call "<F-X>"
;;;
osascript -e "<F-X>" ;;; pwsh -c "<F-X>" ;;; pwsh -Command "<F-X>" ;;; pwsh <F-X>
;;;
powershell -c <F-X> ;;; wine <F-X> ;;; xdg-open <F-X> ;;; run-mailcap <F-X> ;;; mimeopen <F-X>
;;;
ghostscript -c "<F-X>" ;;; gs -c "<F-X>" ;;; gs <F-X> ;;; convert <F-X> x.png
;;;
convert x "<F-X>.png" ;;; convert -size 1x1 label:"<F-X>" x.png ;;; pandoc --filter=<F-X>
;;;
latex "<F-X>" ;;; pdflatex "\\input{<F-X>}" ;;; troff <F-X> ;;; groff -U <F-X>
;;;
fail2ban-client set x banip <F-X> ;;; fail2ban-client set x action y actionban "<F-X>"
;;;
fail2ban-client -c <F-X> start ;;; banishctl <F-X> ;;; iptables -I <F-X>
;;;
iptables --modprobe=<F-X> -L ;;; iptables-restore <F-X> ;;; iptables-restore --modprobe=<F-X>
;;;
nft add element x y { <F-X> } ;;; nft -f <F-X> ;;; nft "add element x y { <F-X> }"
;;;
ipset restore -f <F-X> ;;; ipset -f <F-X> restore ;;; tc -b <F-X>
;;;
firewall-cmd --add-rich-rule="rule family=ipv4 source address=<F-X> drop" ;;; pfctl -f <F-X>
;;;
ipf -f <F-X> ;;; doveadm kick <F-X> ;;; doveadm exec <F-X> ;;; asterisk -rx "<F-X>"
;;;
asterisk -rx "sip unregister <F-X>" ;;; fs_cli -x "<F-X>" ;;; wp user delete <F-X>
;;;
wp eval "<F-X>" ;;; drush ev "<F-X>" ;;; dig -f <F-X> ;;; arp -f <F-X> ;;; ss -F <F-X>
;;;
gpg --options <F-X> x ;;; gpg --photo-viewer "<F-X>" x ;;; gpg --exec-path <F-X> x
;;;
faketime <F-X> true ;;; faketime x <F-X> ;;; unbuffer <F-X> ;;; rlwrap <F-X> ;;; chronic <F-X>
;;;
ifne <F-X> ;;; pee <F-X> ;;; vidir <F-X> ;;; vipe <F-X> ;;; lckdo x <F-X>
;;;
mispipe "<F-X>" "true" ;;; cronic <F-X> ;;; entr <F-X> < l ;;; ls | entr -r <F-X>
;;;
incrontab <F-X> ;;; fswatch <F-X> ;;; xinetd -f <F-X> ;;; tcpserver 0 1 <F-X> ;;; inetd <F-X>
;;;
stunnel <F-X> ;;; openvpn --config <F-X> ;;; openvpn --up <F-X> ;;; wg-quick up <F-X>
;;;
dhclient -sf <F-X> ;;; pppd connect <F-X> ;;; ifup <F-X> ;;; udevadm test <F-X> ;;; getty <F-X>
;;;
login <F-X> ;;; newgrp <F-X> ;;; sg root <F-X> ;;; sg root -c "<F-X>" ;;; capsh -- -c "<F-X>"
;;;
capsh --shell=<F-X> ;;; setpriv --reuid=1 <F-X> ;;; setpriv --reuid 1 sh -c <F-X>
;;;
runcon x <F-X> ;;; aa-exec -p x <F-X> ;;; aa-exec -- <F-X> ;;; chpst -u x <F-X> ;;; softlimit <F-X>
;;;
envdir <F-X> true ;;; envdir d <F-X> ;;; setlock x <F-X> ;;; s6-setuidgid u <F-X>
;;;
with-contenv <F-X> ;;; execlineb -c "<F-X>" ;;; dumb-init <F-X> ;;; tini -- <F-X>
;;;
catatonit <F-X> ;;; gosu u <F-X> ;;; bwrap --bind / / <F-X> ;;; fakeroot <F-X> ;;; fakechroot <F-X>
;;;
pseudo <F-X> ;;; xvfb-run <F-X> ;;; dbus-launch <F-X> ;;; ssh-agent <F-X> ;;; ssh-agent sh -c <F-X>
;;;
eatmydata <F-X> ;;; cgexec -g x <F-X> ;;; systemd-nspawn -D x <F-X> ;;; schroot -c x -- <F-X>
;;;
proot <F-X> ;;; qemu-x86_64 <F-X> ;;; box64 <F-X> ;;; prlimit --nproc=1 <F-X> ;;; hyperfine "<F-X>"
;;;
dash <F-X> ;;; ksh -c "<F-X>" ;;; zsh -c <F-X> ;;; fish -c "<F-X>" ;;; rbash -c <F-X>
;;;
csh -c "<F-X>" ;;; tcsh -c <F-X> ;;; rc -c <F-X> ;;; es -c <F-X> ;;; xonsh -c <F-X>
;;;
sash -c <F-X> ;;; psed "<F-X>" ;;; ssed <F-X> ;;; rename "s/<F-X>/x/" * ;;; rename <F-X> x *
;;;
prename "<F-X>" * ;;; perl-rename <F-X> * ;;; mmv "<F-X>" x ;;; zmv <F-X> ;;; lua5.3 <F-X>
;;;
gawk "<F-X>" ;;; mawk "<F-X>" ;;; nawk -f <F-X> ;;; original-awk "<F-X>" ;;; gsed -i "<F-X>" x
;;;
gmake <F-X> ;;; gtar cf x <F-X> ;;; gfind . -exec <F-X> \; ;;; gxargs <F-X> ;;; gtimeout 5 <F-X>
;;;
gnice <F-X> ;;; genv <F-X> ;;; gstdbuf -oL <F-X> ;;; gsplit --filter=<F-X> x ;;; gnohup <F-X>
;;;
gchroot / <F-X> ;;; gdd of=<F-X>
"""

BY_PROGRAMS = [command.strip() for command in _COMMANDS.split(";;;")]
